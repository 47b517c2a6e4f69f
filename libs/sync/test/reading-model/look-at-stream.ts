import { Difference, expectSame, expectTrue } from './assert.js';
import { type Dialect, describeEvent, expectEvents, type Look, type ToldEvent } from './look.js';
import { nameOf, receiptsIn } from './look-at-ephemeral.js';
import { isLetIn } from './look-at-pages.js';
import type { ModelEvent } from './room-model.js';
import type { KeptToken } from './world-model.js';

const OTHERS = ['m.typing', 'm.receipt', 'm.ignored_user_list', 'm.push_rules', 'm.fully_read'];

/** GET /events: of all rooms and of this one, from a token that the reader once got, by both doors. */
export async function lookAtStream(look: Look): Promise<void> {
  const kept = look.living.world.tokens.get(look.user.userId) ?? [];
  const token = kept[look.number(kept.length)];
  if (token === undefined) return;
  for (const dialect of ['today', 'v1'] as const) {
    await readStream(look, dialect, token);
    await readRoomStream(look, dialect, token);
  }
}

async function readStream(look: Look, dialect: Dialect, { token, lengths }: KeptToken): Promise<void> {
  const { reader } = look;
  const { room, userId, world } = reader;
  const known = lengths.get(room.roomId) ?? 0;
  const what = `GET ${dialect} /events from ${known} events`;
  const answer = await look.ask(dialect, `/events?from=${token}&timeout=0`);
  look.expectAnswered(what, answer);
  const told = roomEvents(answer.body.chunk);
  const found = told.map((event) => look.checkTold(what, event, dialect));
  if (world.hasForgotten(userId, room)) {
    const own = room.events.findLast((event) => reader.isOwnMemberEvent(event));
    const end = own !== undefined && reader.wasThereAfter(known) ? [own] : [];
    return expectEvents(() => `${what}: of what is forgotten`, found, end);
  }
  const membership = room.membership(userId);
  const isOfUser = reader.wasIn() && !reader.isClosed() && ['join', 'leave', 'ban'].includes(membership);
  const end = membership === 'join' ? room.length - 1 : (reader.endOfStay() ?? -1);
  const must = room.events.filter(
    (event) => isOfUser && event.index >= known && event.index <= end && reader.maySee(event) === 'yes',
  );
  const others = found.filter((event) => !must.includes(event));
  expectEvents(
    what,
    found.filter((event) => must.includes(event)),
    must,
  );
  for (const event of others) expectTrue(() => `${what} tells of ${describeEvent(event)}`, isOpenToAll(look, event));
  checkOthers(look, what, answer.body.chunk, end);
}

/** What may be told beside what must: what the world may read, and what became of the reader. */
function isOpenToAll({ reader }: Look, event: ModelEvent): boolean {
  return reader.isOwnMemberEvent(event) || reader.maySee(event) === 'yes';
}

async function readRoomStream(look: Look, dialect: Dialect, { token, lengths }: KeptToken): Promise<void> {
  const { reader } = look;
  const known = lengths.get(reader.room.roomId) ?? 0;
  const what = `GET ${dialect} /events of the room from ${known} events`;
  const room = encodeURIComponent(reader.room.roomId);
  const answer = await look.ask(dialect, `/events?from=${token}&timeout=0&room_id=${room}`);
  const isIn = reader.room.membership(reader.userId) === 'join' || reader.room.visibility() === 'world_readable';
  // Who has left may be refused altogether: nothing will come any more.
  if (isIn ? !isLetIn(look, what, answer) : answer.status !== 200) return;
  const door = reader.doorToEvents();
  if (door.open === 'no') return look.expectRefused(what, answer);
  const found = roomEvents(answer.body.chunk).map((event) => look.checkTold(what, event, dialect));
  const expected = reader.visibleEvents().filter(({ index }) => index >= known);
  if (reader.isClosed()) return;
  const shown = found.filter(
    (event) => !reader.isOptional(event) && (expected.includes(event) || !reader.isOwnMemberEvent(event)),
  );
  expectEvents(what, shown, expected);
  checkOthers(look, what, answer.body.chunk, door.end ?? Infinity);
}

/** Typing only for those who are there; receipts only of the time that the reader was; of nobody who is ignored. */
function checkOthers({ reader }: Look, what: string, chunk: readonly ToldEvent[], end: number): void {
  const { world, room, userId } = reader;
  const mine = chunk.filter((event) => event['room_id'] === room.roomId);
  const isIn = room.membership(userId) === 'join' || room.visibility() === 'world_readable';
  for (const event of mine.filter(({ type }) => type === 'm.typing')) {
    expectTrue(() => `${what}: typing`, isIn);
    const { user_ids: users } = event['content'] as { user_ids: string[] };
    const typing = world.typingIn(room).filter((other) => !world.ignores(userId, other));
    expectSame(() => `${what}: typing`, users.toSorted(), typing.toSorted());
  }
  const all = [...(world.receipts.get(room.roomId)?.values() ?? [])];
  for (const told of receiptsIn(mine)) {
    const receipt = all.find((one) => nameOf(one) === nameOf(told));
    if (receipt === undefined) throw new Difference(() => `${what}: no such receipt: ${nameOf(told)}`);
    expectSame(() => `${what}: a receipt by who is ignored`, world.ignores(userId, receipt.userId), false);
    expectSame(
      () => `${what}: a private receipt`,
      receipt.type === 'm.read.private' && receipt.userId !== userId,
      false,
    );
    expectTrue(() => `${what}: a receipt from after the stay`, isIn || receipt.length <= end);
  }
}

function roomEvents(chunk: readonly ToldEvent[]): ToldEvent[] {
  return chunk.filter(({ type }) => !OTHERS.includes(String(type)));
}
