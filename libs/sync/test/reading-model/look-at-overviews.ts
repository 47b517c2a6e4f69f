import { expectSame } from './assert.js';
import { type Dialect, type Look, type ToldEvent } from './look.js';
import { nameOf, receiptsIn } from './look-at-ephemeral.js';
import { isLetIn } from './look-at-pages.js';

interface Overview {
  readonly room_id: string;
  readonly membership?: string;
  readonly inviter?: string;
  readonly invite?: ToldEvent;
  readonly messages?: { readonly chunk: readonly ToldEvent[] };
  readonly state?: readonly ToldEvent[];
  readonly receipts?: readonly ToldEvent[];
}

/** GET /initialSync, of all rooms and of this one, by both doors. */
export async function lookAtOverviews(look: Look): Promise<void> {
  for (const dialect of ['today', 'v1'] as const) {
    await lookAtAll(look, dialect, look.number(2) === 0);
    await lookAtRoom(look, dialect);
  }
}

async function lookAtAll(look: Look, dialect: Dialect, archived: boolean): Promise<void> {
  const { reader } = look;
  const { room } = reader;
  const limit = 1 + look.number(20);
  const what = `GET ${dialect} /initialSync?limit=${limit}&archived=${archived}`;
  const answer = await look.ask(dialect, `/initialSync?limit=${limit}&archived=${archived}`);
  look.expectAnswered(what, answer);
  const told = (answer.body.rooms as Overview[]).find((one) => one.room_id === room.roomId);
  const membership = reader.membershipTold();
  const isAway = membership === 'leave' || membership === 'ban';
  const mine = reader.lastTold();
  if (mine === undefined || (isAway && (!archived || reader.isClosed() || !reader.wasIn()))) {
    return expectSame(what, told, undefined);
  }
  expectSame(what, told?.membership, membership);
  if (membership === 'invite' || membership === 'knock') {
    expectSame(what, [told?.messages, told?.state], [undefined, undefined]);
    expectSame(what, told?.inviter, mine.sender);
    expectSame('an event', look.checkTold(what, told!.invite!, dialect), mine);
    return;
  }
  checkOverview(look, what, told!, limit, dialect);
  const receipts = (answer.body.receipts as ToldEvent[]).filter((event) => event['room_id'] === room.roomId);
  if (isAway) expectSame(() => `${what}: receipts`, receipts, []);
  else checkReceipts(look, what, receipts, Infinity);
}

async function lookAtRoom(look: Look, dialect: Dialect): Promise<void> {
  const limit = 1 + look.number(20);
  const what = `GET ${dialect} /rooms/initialSync?limit=${limit}`;
  const answer = await look.ask(dialect, `${look.path}/initialSync?limit=${limit}`);
  if (!isLetIn(look, what, answer)) return;
  const told = answer.body as Overview;
  checkOverview(look, what, told, limit, dialect);
  // Receipts are for those who are or were in the room, and of their time.
  const { reader } = look;
  const isIn = reader.room.membership(reader.userId) === 'join';
  const end = isIn ? Infinity : (reader.endOfStay() ?? -1);
  checkReceipts(look, what, told.receipts ?? [], reader.isClosed() ? -1 : end);
}

function checkOverview(look: Look, what: string, told: Overview, limit: number, dialect: Dialect): void {
  const { reader } = look;
  const { room } = reader;
  const chunk = told.messages?.chunk ?? [];
  const end = reader.endOfStay();
  const isAway = told.membership === 'leave' || told.membership === 'ban';
  if (isAway && end !== undefined && room.visibility() === 'world_readable') {
    // It may end with the stay or go on: the world may read what came then.
    for (const event of [...chunk, ...(told.state ?? [])]) look.checkTold(what, event, dialect);
    return;
  }
  look.checkPage(`${what}: messages`, chunk.toReversed(), reader.visibleEvents().toReversed(), limit, dialect);
  look.checkState(`${what}: state`, told.state ?? [], reader.visibleState(), dialect);
}

function checkReceipts({ reader }: Look, what: string, told: readonly ToldEvent[], end: number): void {
  const { world, room, userId } = reader;
  const meant = [...(world.receipts.get(room.roomId)?.values() ?? [])].filter(
    (receipt) =>
      !world.ignores(userId, receipt.userId) &&
      (receipt.type !== 'm.read.private' || receipt.userId === userId) &&
      receipt.length <= end,
  );
  expectSame(() => `${what}: receipts`, receiptsIn(told).map(nameOf).toSorted(), meant.map(nameOf).toSorted());
}
