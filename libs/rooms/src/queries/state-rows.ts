import type { EventId, RoomId, UserId } from '#kernel/ids';
import { isAfter, type Place, type Position } from '#kernel/position';
import { scanPages } from '#projections/scan-pages';
import type { Views } from '#projections/views';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import { boundAfter, boundUpTo } from '#read-models/place-bounds';
import type { Key, ScanOptions } from '#read-models/read-model-store';
import type { LoggedChange } from '../projections/room-state.projector.js';
import { parseRow, rowHeaderOf, type TimelineRow } from '../projections/timeline-row.js';
import { findRowsById } from '../reading/event-rows.js';

/*
 * The state of a room, now and at any place of the log. There is one way back: the first change that a key saw after the place
 * (`state-log`) says which event it replaced.
 */

/** A key of the state dictionary. */
export type StateKey = readonly [type: string, stateKey: string];

const MEMBER = 'm.room.member';
/** What the keys of member events begin with, and no others. */
const MEMBER_KEYS = stateKeyOf(MEMBER, '');
/** Behind every state key: user ids, which these are, begin with an @. */
const LAST_KEY = '\u{10ffff}';
/** How many times the events of now are followed to those they replaced, before the log of all changes is read instead. */
const MAX_STEPS = 8;

/** The key in the state dictionary of a state event. */
export function stateKeyOfRow({ header }: TimelineRow): string {
  return stateKeyOf(header.type, header.stateKey ?? '');
}

/** What holds a key of the state now; undefined where nothing does. */
export async function findStateRow(
  views: Views,
  roomId: RoomId,
  type: string,
  stateKey: string,
): Promise<TimelineRow | undefined> {
  const text = await views.get('room-state', [roomId, type, stateKey]);
  return text === undefined ? undefined : parseRow(text);
}

/** The state of a room now, or what is of one type in it. */
export async function listStateRows(views: Views, roomId: RoomId, type?: string): Promise<TimelineRow[]> {
  return readRange(views, { prefix: type === undefined ? [roomId] : [roomId, type] });
}

/** Whether a state event is the one that holds its key now. */
export async function isInForce(views: Pick<Views, 'get'>, roomId: RoomId, { header }: TimelineRow): Promise<boolean> {
  const text = await views.get('room-state', [roomId, header.type, header.stateKey ?? '']);
  return text !== undefined && rowHeaderOf(text).eventId === header.eventId;
}

/**
 * The state of a room at a place; of its members only `members`, where given. Costs what has changed since then, and the size of
 * the state without the members nobody asked for.
 */
export async function listStateRowsAt(
  views: Views,
  roomId: RoomId,
  place: Place,
  members?: readonly UserId[],
): Promise<TimelineRow[]> {
  const now = members === undefined ? await listStateRows(views, roomId) : await listWith(members, views, roomId);
  // PERF: what was changed after the place is held by an event after it or by none, and mostly nothing was.
  if (!now.some(({ header }) => isAfter(header.position, place)) && !(await isDeletedAfter(views, roomId, place)))
    return now;
  const rows = new Map(now.map((row) => [stateKeyOfRow(row), row]));
  const wanted = members && new Set(members.map((userId) => stateKeyOf(MEMBER, userId)));
  // After the state of now: whatever changes between the two is undone as well.
  const replaced = await findReplaced(views, roomId, place, (key) => {
    return wanted === undefined || wanted.has(key) || !key.startsWith(MEMBER_KEYS);
  });
  const found = await findAll(views, roomId, [...replaced.values()]);
  for (const [i, key] of [...replaced.keys()].entries()) {
    const row = found[i];
    if (row === undefined) rows.delete(key);
    else rows.set(key, row);
  }
  return [...rows.values()];
}

/**
 * Some keys of a room's state at a place of the log, in the order of the keys; undefined for those it did not have. What is of
 * that time or older needs one read; what has changed since is followed back, all keys together.
 */
export async function findStateRowsAt(
  views: Views,
  roomId: RoomId,
  keys: readonly StateKey[],
  place: Place,
): Promise<(TimelineRow | undefined)[]> {
  const keysOfNow = keys.map((key) => [roomId, ...key]);
  const [texts, isDeleted] = await Promise.all([
    views.getMany('room-state', keysOfNow),
    isDeletedAfter(views, roomId, place),
  ]);
  const rows = texts.map((text) => (text === undefined ? undefined : parseRow(text)));
  for (let step = isDeleted ? MAX_STEPS : 0; step < MAX_STEPS; step++) {
    const late = [...rows.keys()].filter((i) => rows[i] !== undefined && isAfter(rows[i].header.position, place));
    if (late.length === 0) return rows;
    const found = await findAll(
      views,
      roomId,
      late.map((i) => rows[i]?.header.replaces),
    );
    for (const [n, i] of late.entries()) rows[i] = found[n];
  }
  const names = keys.map((key) => stateKeyOf(...key));
  const wanted = new Set(names);
  const first = await findReplaced(views, roomId, place, (key) => wanted.has(key), wanted.size);
  const found = await findAll(
    views,
    roomId,
    names.map((name) => first.get(name)),
  );
  return names.map((name, i) => (first.has(name) ? found[i] : rows[i]));
}

/** Whether a key of the room was left to nothing after a place: what holds the keys now does not lead back to what did. */
async function isDeletedAfter(views: Views, roomId: RoomId, place: Place): Promise<boolean> {
  const last = await views.get('state-deletions', [roomId]);
  return last !== undefined && isAfter(last as Position, place);
}

/** What changed in the state of a room between two places, in order, page by page. */
export async function* scanStateChanges(
  views: Pick<Views, 'scan'>,
  roomId: RoomId,
  after: Place,
  upTo?: Place,
): AsyncGenerator<readonly LoggedChange[], void> {
  const range = { prefix: [roomId], ...boundAfter([roomId], after), ...(upTo && boundUpTo([roomId], upTo)) };
  for await (const page of scanPages(views, 'state-log', range)) {
    yield page.flatMap(({ value }) => JSON.parse(value) as LoggedChange[]);
  }
}

/** What the first change of each wanted key after a place replaced: what held it at the place. Stops once it has `most` of them. */
async function findReplaced(
  views: Views,
  roomId: RoomId,
  place: Place,
  isWanted: (key: string) => boolean,
  most = Infinity,
): Promise<Map<string, EventId | undefined>> {
  const first = new Map<string, EventId | undefined>();
  for await (const changes of scanStateChanges(views, roomId, place)) {
    for (const change of changes) {
      const key = stateKeyOf(change.type, change.state_key);
      if (isWanted(key) && !first.has(key)) first.set(key, change.replaces);
    }
    if (first.size >= most) break;
  }
  return first;
}

async function findAll(
  views: Views,
  roomId: RoomId,
  ids: readonly (EventId | undefined)[],
): Promise<(TimelineRow | undefined)[]> {
  const known = ids.filter((id) => id !== undefined);
  const found = await findRowsById(views, roomId, known);
  let next = 0;
  return ids.map((id) => (id === undefined ? undefined : found[next++]));
}

/** The state of now, of its members only some. */
async function listWith(members: readonly UserId[], views: Views, roomId: RoomId): Promise<TimelineRow[]> {
  const before = await readRange(views, { prefix: [roomId], before: [roomId, MEMBER, ''] });
  const behind = await readRange(views, { prefix: [roomId], after: [roomId, MEMBER, LAST_KEY] });
  const keys: Key[] = members.map((userId) => [roomId, MEMBER, userId]);
  const texts = await views.getMany('room-state', keys);
  const named = texts.flatMap((text) => (text === undefined ? [] : [parseRow(text)]));
  return [...before, ...behind, ...named];
}

async function readRange(views: Views, range: Omit<ScanOptions, 'limit'>): Promise<TimelineRow[]> {
  const rows: TimelineRow[] = [];
  for await (const page of scanPages(views, 'room-state', range)) {
    for (const { value } of page) rows.push(parseRow(value));
  }
  return rows;
}
