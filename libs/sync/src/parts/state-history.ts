import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { Place } from '#kernel/position';
import { scanPages } from '#projections/scan-pages';
import type { Views } from '#projections/views';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import { boundAfter, boundUpTo } from '#read-models/place-bounds';
import type { StateChange } from '#rooms/facts/room-facts';
import { parseRow, rowHeaderOf, type TimelineRow } from '#rooms/projections/timeline-row';
import { findRowsById, listStateRowsAt } from '#rooms/queries/event-rows';
import { findStateRowsAt } from '#rooms/queries/find-state-rows-at';

const MEMBER = 'm.room.member';
/** What the keys of member events begin with, and no others. */
const MEMBER_KEYS = stateKeyOf(MEMBER, '');
const PAGE = 2_000;
/** Behind every state key: user ids, which these are, begin with an @. */
const LAST_KEY = '\u{10ffff}';

/** The key in the state dictionary of a state event. */
export function stateKeyOfRow({ header }: TimelineRow): string {
  return stateKeyOf(header.t, header.k ?? '');
}

/**
 * The state of a room at a place; of its members only `members`, where given. Costs what has changed since then,
 * and the size of the state without the members nobody asked for.
 */
export async function readStateAt(
  views: Views,
  roomId: RoomId,
  place: Place,
  members?: readonly UserId[],
): Promise<TimelineRow[]> {
  if (members === undefined) return listStateRowsAt(views, roomId, place);
  const rows = new Map<string, TimelineRow>();
  for (const row of await readCurrentStateWithoutMembers(views, roomId)) rows.set(stateKeyOfRow(row), row);
  for (const row of await readCurrentMembers(views, roomId, members)) rows.set(stateKeyOfRow(row), row);
  const wanted = new Set(members.map((userId) => stateKeyOf(MEMBER, userId)));
  await undoSince(views, roomId, place, rows, (key) => wanted.has(key) || !key.startsWith(MEMBER_KEYS));
  return [...rows.values()];
}

/** The member events of some users at a place, of those that have one. */
export async function readMembersAt(
  views: Views,
  roomId: RoomId,
  place: Place,
  users: readonly UserId[],
): Promise<TimelineRow[]> {
  const keys = users.map((userId) => [MEMBER, userId] as const);
  return (await findStateRowsAt(views, roomId, keys, place)).filter((row) => row !== undefined);
}

/** What changed in the state of a room between two places, in order. */
export async function readStateChanges(
  views: Pick<Views, 'scan'>,
  roomId: RoomId,
  after: Place,
  upTo?: Place,
): Promise<StateChange[]> {
  const changes: StateChange[] = [];
  const range = { ...boundAfter([roomId], after), ...(upTo && boundUpTo([roomId], upTo)) };
  for await (const page of scanPages(views, 'state-log', { prefix: [roomId], ...range }, PAGE)) {
    for (const { value } of page) changes.push(...(JSON.parse(value) as StateChange[]));
  }
  return changes;
}

/** The rows of some state events by their ids; those that are not here are left out. */
export async function readStateEvents(views: Views, ids: readonly EventId[]): Promise<TimelineRow[]> {
  if (ids.length === 0) return [];
  return (await findRowsById(views, ids)).flatMap((found) => (found === undefined ? [] : [found.row]));
}

async function readCurrentStateWithoutMembers(views: Views, roomId: RoomId): Promise<TimelineRow[]> {
  const rows: TimelineRow[] = [];
  const ranges = [{ before: [roomId, MEMBER, ''] }, { after: [roomId, MEMBER, LAST_KEY] }];
  for (const range of ranges) {
    for await (const page of scanPages(views, 'room-state', { prefix: [roomId], ...range }, PAGE)) {
      for (const { value } of page) rows.push(parseRow(value));
    }
  }
  return rows;
}

async function readCurrentMembers(views: Views, roomId: RoomId, users: readonly UserId[]): Promise<TimelineRow[]> {
  const texts = await views.getMany(
    'room-state',
    users.map((userId) => [roomId, MEMBER, userId]),
  );
  return texts.flatMap((text) => (text === undefined ? [] : [parseRow(text)]));
}

/** Puts back what the changes after a place replaced. To be called after the current state was read. */
async function undoSince(
  views: Views,
  roomId: RoomId,
  place: Place,
  rows: Map<string, TimelineRow>,
  concerns: (key: string) => boolean,
): Promise<void> {
  const replaced = new Map<string, EventId | undefined>();
  for (const change of await readStateChanges(views, roomId, place)) {
    const key = stateKeyOf(change.type, change.state_key);
    if (concerns(key) && !replaced.has(key)) replaced.set(key, change.replaces);
  }
  for (const key of replaced.keys()) rows.delete(key);
  const ids = [...replaced.values()].filter((id) => id !== undefined);
  for (const row of await readStateEvents(views, ids)) rows.set(stateKeyOfRow(row), row);
}

/** Whether a state event is the one that holds its key now. */
export async function isInForce(views: Pick<Views, 'get'>, roomId: RoomId, { header }: TimelineRow): Promise<boolean> {
  const text = await views.get('room-state', [roomId, header.t, header.k ?? '']);
  return text !== undefined && rowHeaderOf(text).e === header.e;
}
