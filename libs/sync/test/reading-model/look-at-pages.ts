import { Difference, expectSame, expectTrue } from './assert.js';
import type { Look, ToldEvent } from './look.js';
import type { Door } from './reader-model.js';
import { stateName } from './room-model.js';

const MOST_PAGES = 100;

interface Page {
  readonly chunk: readonly ToldEvent[];
  readonly start: string;
  readonly end?: string;
  readonly state?: readonly ToldEvent[];
}

/** All pages of GET /messages, in either direction, by either door. */
export async function lookAtPages(look: Look): Promise<void> {
  const { reader } = look;
  for (const direction of ['b', 'f'] as const) {
    const what = `GET /messages dir=${direction}`;
    const limit = 1 + look.number(30);
    const lazy = look.number(2) === 0;
    const pages = await readPages(look, what, direction, limit, lazy);
    const expected = direction === 'b' ? reader.visibleEvents().toReversed() : reader.visibleEvents();
    if (pages !== undefined) look.checkPage(what, pages, expected, Infinity);
  }
  await lookFromTokens(look);
  await lookAtPagesV1(look);
}

/** Reads page after page until there are no more; undefined where the reader is rightly refused. */
async function readPages(
  look: Look,
  what: string,
  direction: 'b' | 'f',
  limit: number,
  lazy: boolean,
  token?: string,
): Promise<readonly ToldEvent[] | undefined> {
  const filter = lazy ? `&filter=${encodeURIComponent('{"lazy_load_members":true}')}` : '';
  const events: ToldEvent[] = [];
  let from = token;
  for (let i = 0; i < MOST_PAGES; i++) {
    const start = from === undefined ? '' : `&from=${from}`;
    const answer = await look.ask('today', `${look.path}/messages?dir=${direction}&limit=${limit}${start}${filter}`);
    if (!isLetIn(look, what, answer, look.reader.doorToEvents())) return undefined;
    const page = answer.body as Page;
    events.push(...page.chunk);
    if (lazy) checkMembers(look, what, page);
    if (page.end === undefined || (direction === 'f' && page.chunk.length === 0)) return events;
    from = page.end;
  }
  throw new Difference(() => `${what} never ends`);
}

/** Holds an answer about all of the room against the door; answers whether there is something to look at. */
export function isLetIn(
  look: Look,
  what: string,
  answer: { status: number; body: unknown },
  { open }: Door = look.reader.door(),
): boolean {
  if (open === 'no') look.expectRefused(what, answer as never);
  else if (open === 'yes') look.expectAnswered(what, answer as never);
  return answer.status === 200;
}

/** With lazy loading: the senders' member events, as they were at the newest event of the page. */
function checkMembers(look: Look, what: string, { chunk, state = [] }: Page): void {
  const { reader } = look;
  const newest = Math.max(-1, ...chunk.map((event) => look.checkTold(what, event).index));
  const senders = new Set(chunk.map(({ sender }) => stateName('m.room.member', String(sender))));
  const members = [...reader.room.stateAfter(newest)].filter(([name]) => senders.has(name));
  look.checkState(`${what}: state`, state, new Map(members));
}

/** From a token that the reader once got, both ways. */
async function lookFromTokens(look: Look): Promise<void> {
  const { reader, living } = look;
  const kept = living.world.tokens.get(look.user.userId) ?? [];
  const token = kept[look.number(kept.length)];
  const length = token?.lengths.get(reader.room.roomId);
  if (token === undefined || length === undefined) return;
  for (const direction of ['b', 'f'] as const) {
    const what = `GET /messages dir=${direction} from a token of ${length} events`;
    const pages = await readPages(look, what, direction, 1 + look.number(30), false, token.token);
    if (pages === undefined) continue;
    const all = reader.visibleEvents();
    const expected =
      direction === 'b'
        ? all.filter(({ index }) => index < length).toReversed()
        : all.filter(({ index }) => index >= length);
    look.checkPage(what, pages, expected, Infinity);
  }
}

async function lookAtPagesV1(look: Look): Promise<void> {
  const { reader, path } = look;
  const limit = 1 + look.number(20);
  const what = `GET v1 /messages from=END to=START limit=${limit}`;
  const answer = await look.ask('v1', `${path}/messages?from=END&to=START&limit=${limit}`);
  if (!isLetIn(look, what, answer, reader.doorToEvents())) return;
  look.checkPage(what, answer.body.chunk, reader.visibleEvents().toReversed(), limit, 'v1');
  const forward = await look.ask('v1', `${path}/messages?from=START&to=END&limit=${limit}`);
  look.checkPage(`${what} forwards`, forward.body.chunk, reader.visibleEvents(), limit, 'v1');
}

/** GET /timestamp_to_event of one time. */
export async function lookForTime(look: Look): Promise<void> {
  const { reader, path } = look;
  const { time } = reader.room.events[look.number(reader.room.length)]!;
  const direction = look.number(2) === 0 ? 'b' : 'f';
  const what = `GET /timestamp_to_event dir=${direction}`;
  const answer = await look.user.call(
    'GET',
    `/_matrix/client/v1${path}/timestamp_to_event?ts=${time}&dir=${direction}`,
  );
  const door = reader.doorToEvents();
  if (door.open === 'no') return look.expectRefused(what, answer);
  const fitting = reader
    .visibleEvents()
    .map((event) => event.time)
    .filter((other) => (direction === 'b' ? other <= time : other >= time));
  const isSure = reader.room.events.every((event) => !reader.isOptional(event)) && !reader.isClosed();
  if (fitting.length === 0 && isSure) return look.expectRefused(what, answer);
  if (answer.status !== 200 && (door.open === 'maybe' || fitting.length === 0)) return;
  look.expectAnswered(what, answer);
  const found = reader.room.find(answer.body.event_id)!;
  expectTrue(what, reader.maySee(found) !== 'no');
  if (reader.isClosed() || reader.isOptional(found)) return;
  expectSame(what, found.time, direction === 'b' ? Math.max(...fitting) : Math.min(...fitting));
}
