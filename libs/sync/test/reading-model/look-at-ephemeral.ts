import { expectOneOf, expectSame } from './assert.js';
import type { Look, ToldEvent } from './look.js';
import type { KeptToken, ModelReceipt } from './world-model.js';

type ReceiptContent = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>;

/** Typing notifications and receipts: of a room that is new to the client all there is, else what changed since. */
export function checkEphemeral(
  look: Look,
  what: string,
  told: readonly ToldEvent[],
  since: KeptToken | undefined,
): void {
  checkTyping(look, what, told, since === undefined);
  checkReceipts(look, what, told, since);
}

function checkTyping({ reader }: Look, what: string, told: readonly ToldEvent[], isNew: boolean): void {
  const events = told.filter(({ type }) => type === 'm.typing');
  const typing = reader.world.typingIn(reader.room).filter((userId) => !reader.world.ignores(reader.userId, userId));
  if (isNew && typing.length > 0) expectSame(() => `${what}: typing`, events.length, 1);
  for (const { content } of events) {
    const users = (content as { user_ids: string[] }).user_ids;
    expectSame(() => `${what}: typing`, users.toSorted(), typing.toSorted());
  }
}

/** The receipts in some events. */
export function receiptsIn(told: readonly ToldEvent[]): ModelReceipt[] {
  return told
    .filter(({ type }) => type === 'm.receipt')
    .flatMap(({ content }) =>
      Object.entries(content as ReceiptContent).flatMap(([eventId, types]) =>
        Object.entries(types).flatMap(([type, users]) =>
          Object.keys(users).map((userId) => ({ eventId, type, userId, turn: 0, length: 0 })),
        ),
      ),
    );
}

function checkReceipts({ reader }: Look, what: string, told: readonly ToldEvent[], since: KeptToken | undefined): void {
  const { world, room, userId } = reader;
  const all = [...(world.receipts.get(room.roomId)?.values() ?? [])];
  const meant = all.filter(
    (receipt) =>
      !world.ignores(userId, receipt.userId) && (receipt.type !== 'm.read.private' || receipt.userId === userId),
  );
  const found = receiptsIn(told).map(nameOf);
  const names = meant.map(nameOf);
  for (const name of found) expectOneOf(() => `${what}: a receipt`, name, names);
  for (const receipt of meant) {
    if (since === undefined || receipt.turn > since.turn) {
      expectOneOf(() => `${what}: receipts`, nameOf(receipt), found);
    }
  }
}

export function nameOf({ userId, type, eventId }: ModelReceipt): string {
  return `${type} of ${userId} at ${eventId}`;
}
