import type { EventId, RoomId, UserId } from '#kernel/ids';
import { comparePlaces, isAfter, type Place } from '#kernel/position';
import type { Views } from '#projections/views';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import type { StateEntry } from '#protocol/state-trie/state-trie';
import { boundAfter, boundUpTo } from '#read-models/place-bounds';
import { askGraph } from '../graph/ask-graph.js';
import type { GraphState } from '../graph/room-graph.js';
import { STATE_DELETIONS } from '../projections/room-state.projector.js';
import { TIMELINE } from '../projections/timeline-collections.js';
import { type RowHeader, rowHeaderOf, type TimelineRow } from '../projections/timeline-row.js';
import { findLastRow, findRowsById } from '../reading/event-rows.js';
import { findStateRows, listStateRows, listStateRowsWith, MEMBER, type StateKey } from './state-rows.js';

/*
 * The state of a room at other moments than now, which the graph tells: just after an event, and at a place of the log. The two
 * are not the same where the room forks: at a place it is what this server took for the room's state when it had come so far.
 */

/** What is needed of an event to find the state after it. */
type PlacedEvent = Pick<RowHeader, 'eventId' | 'position'>;

/** So many members are found one by one in less time than all are read of a room of some thousands. */
const FEW_MEMBERS = 50;

/** The state of a room just after one of its events; of its members only `members`, where given. Nothing where it is not known. */
export async function listStateRowsAfter(
  views: Views,
  roomId: RoomId,
  event: PlacedEvent,
  members?: ReadonlySet<string>,
): Promise<TimelineRow[]> {
  return listRows(views, roomId, await findStateAfter(views, roomId, event), members);
}

/** Some keys of the state just after an event, without those that it does not have. */
export async function findStateRowsAfter(
  views: Views,
  roomId: RoomId,
  keys: readonly StateKey[],
  event: PlacedEvent,
): Promise<TimelineRow[]> {
  const rows = await findRows(views, roomId, await findStateAfter(views, roomId, event), keys);
  return rows.filter((row) => row !== undefined);
}

/**
 * The state of a room at a place of the log; of its members only `members`, where given. PERF: where nothing has changed since then
 * it is the state of now, which is a scan; members nobody asked for cost nothing.
 */
export async function listStateRowsAt(
  views: Views,
  roomId: RoomId,
  place: Place,
  members?: readonly UserId[],
): Promise<TimelineRow[]> {
  const now = await (members === undefined ? listStateRows(views, roomId) : listStateRowsWith(views, roomId, members));
  const isDeleted = await isDeletedAfter(views, roomId, place);
  if (!isDeleted && !now.some(({ header }) => isAfter(header.position, place))) return now;
  const state = await findStateAt(views, roomId, place);
  const wanted = members && new Set<string>(members);
  // What is deleted since then is no key of now.
  if (wanted === undefined || isDeleted) return listRows(views, roomId, state, wanted);
  const keys = now.map(({ header }): StateKey => [header.type, header.stateKey ?? '']);
  return (await findRows(views, roomId, state, keys)).filter((row) => row !== undefined);
}

/**
 * Some keys of a room's state at a place of the log, in the order of the keys; undefined for those it did not have. PERF: what is of
 * that time or older needs one read.
 */
export async function findStateRowsAt(
  views: Views,
  roomId: RoomId,
  keys: readonly StateKey[],
  place: Place,
): Promise<(TimelineRow | undefined)[]> {
  const [rows, isDeleted] = await Promise.all([
    findStateRows(views, roomId, keys),
    isDeletedAfter(views, roomId, place),
  ]);
  if (!isDeleted && !rows.some((row) => row !== undefined && isAfter(row.header.position, place))) return rows;
  return findRows(views, roomId, await findStateAt(views, roomId, place), keys);
}

/** What became of the state of a room between two places of the log. */
export interface StateChanges {
  /** The events that hold keys now where these are others, and those that deleted keys. */
  readonly rows: readonly TimelineRow[];
  /** The keys that resolution left to nothing: there is no event to tell. */
  readonly gone: readonly string[];
}

/** What became of the state of a room between two places. */
export async function listStateChanges(views: Views, roomId: RoomId, after: Place, upTo: Place): Promise<StateChanges> {
  const [earlier, later] = await Promise.all([findStateAt(views, roomId, after), findStateAt(views, roomId, upTo)]);
  if (earlier === undefined || later === undefined) return { rows: await listRows(views, roomId, later), gone: [] };
  const changes = await later.changesSince(earlier);
  const held = changes.filter((change): change is StateEntry => change.eventId !== null);
  const rows = await readRows(views, roomId, held);
  if (held.length === changes.length) return { rows: rows.toSorted(byPosition), gone: [] };
  const deletions = await findDeletions(views, roomId, after, upTo);
  const empty = changes.filter(({ eventId }) => eventId === null).map((key) => stateKeyOf(key.type, key.stateKey));
  const told = empty.flatMap((key) => deletions.get(key) ?? []);
  rows.push(...(await findRowsById(views, roomId, told)).filter((row) => row !== undefined));
  return { rows: rows.toSorted(byPosition), gone: empty.filter((key) => !deletions.has(key)) };
}

/** Whether what a state event says of its key is so at a place: it holds the key there, or deleted what did and nothing came since. */
export async function isSoAt(views: Views, roomId: RoomId, row: TimelineRow, place: Place): Promise<boolean> {
  const { type, stateKey = '', eventId, position } = row.header;
  const [held] = await findStateRowsAt(views, roomId, [[type, stateKey]], place);
  if (held !== undefined) return held.header.eventId === eventId;
  const deletions = await findDeletions(views, roomId, { before: position }, place);
  return deletions.get(stateKeyOf(type, stateKey)) === eventId;
}

/**
 * The state that a room had at a place of the log; undefined where it had none, or where it is not known what it was. Before the first
 * event that was news of a room that another server told, it is the state that was told before that event.
 */
async function findStateAt(views: Views, roomId: RoomId, place: Place): Promise<GraphState | undefined> {
  const last = await findLastRow(views, roomId, place);
  if (last !== undefined)
    return askGraph(views, roomId, last.header.position, (graph) => graph.findStateSince(last.header.eventId));
  const [text] = await TIMELINE.scan(views, { prefix: [roomId], limit: 1 });
  const first = text && rowHeaderOf(text.value);
  if (first?.isAfterGap !== true) return undefined;
  return askGraph(views, roomId, first.position, (graph) => graph.findStateBefore(first.eventId));
}

function findStateAfter(
  views: Views,
  roomId: RoomId,
  { eventId, position }: PlacedEvent,
): Promise<GraphState | undefined> {
  return askGraph(views, roomId, position, (graph) => graph.findStateAfter(eventId));
}

/** Whether a key of the room was left to nothing after a place: then the keys of now are not all there were. */
async function isDeletedAfter(views: Views, roomId: RoomId, place: Place): Promise<boolean> {
  const range = { prefix: [roomId], ...boundAfter([roomId], place) } as const;
  return (await STATE_DELETIONS.scan(views, { ...range, limit: 1 })).length > 0;
}

/** The events that deleted keys between two places, by the keys: the last of each. */
async function findDeletions(
  views: Views,
  roomId: RoomId,
  after: Place,
  upTo: Place,
): Promise<ReadonlyMap<string, EventId>> {
  const found = new Map<string, EventId>();
  const range = { prefix: [roomId], ...boundAfter([roomId], after), ...boundUpTo([roomId], upTo) } as const;
  for await (const page of STATE_DELETIONS.pages(views, range)) {
    for (const [type, stateKey, by] of page.flatMap(({ value }) => value)) {
      const key = stateKeyOf(type, stateKey);
      if (by === null) found.delete(key);
      else found.set(key, by);
    }
  }
  return found;
}

async function listRows(
  views: Views,
  roomId: RoomId,
  state: GraphState | undefined,
  members?: ReadonlySet<string>,
): Promise<TimelineRow[]> {
  if (state === undefined) return [];
  const rows: TimelineRow[] = [];
  const pages = members === undefined ? state.pages() : pagesWithMembers(state, members);
  for await (const page of pages) for (const row of await readRows(views, roomId, page)) rows.push(row);
  return rows.sort(byPosition);
}

/** All of a state but its members, and some of these. PERF: of few each is found by itself, and what else members say is not read. */
async function* pagesWithMembers(
  state: GraphState,
  members: ReadonlySet<string>,
): AsyncGenerator<readonly StateEntry[], void> {
  const areFew = members.size <= FEW_MEMBERS;
  const isWanted = ({ type, stateKey }: StateEntry): boolean => type !== MEMBER || members.has(stateKey);
  for await (const page of state.pages(areFew ? { without: MEMBER } : {})) yield page.filter(isWanted);
  if (!areFew) return;
  const keys = Array.from(members, (stateKey) => ({ type: MEMBER, stateKey }));
  const ids = await state.findMany(keys);
  yield keys.flatMap((key, i) => (ids[i] === undefined ? [] : [{ ...key, eventId: ids[i] }]));
}

async function findRows(
  views: Views,
  roomId: RoomId,
  state: GraphState | undefined,
  keys: readonly StateKey[],
): Promise<(TimelineRow | undefined)[]> {
  const wanted = keys.map(([type, stateKey]) => ({ type, stateKey }));
  const ids = (await state?.findMany(wanted)) ?? [];
  const entries = wanted.flatMap((key, i) => (ids[i] === undefined ? [] : [{ ...key, eventId: ids[i] }]));
  const rows = new Map((await readRows(views, roomId, entries)).map((row) => [row.header.eventId, row]));
  return keys.map((_, i) => ids[i] && rows.get(ids[i]));
}

/** What holds a key still is read by the key, for it may be an event that has no place of its own; the rest by their ids. */
async function readRows(views: Views, roomId: RoomId, entries: readonly StateEntry[]): Promise<TimelineRow[]> {
  const keys = entries.map(({ type, stateKey }): StateKey => [type, stateKey]);
  const rows = await findStateRows(views, roomId, keys);
  const replaced = [...entries.keys()].filter((i) => rows[i]?.header.eventId !== entries[i]!.eventId);
  const found = await findRowsById(
    views,
    roomId,
    replaced.map((i) => entries[i]!.eventId),
  );
  for (const [n, i] of replaced.entries()) rows[i] = found[n];
  return rows.filter((row) => row !== undefined);
}

/** In the order of arrival: what a room begins with comes first. */
function byPosition({ header: a }: TimelineRow, { header: b }: TimelineRow): number {
  return comparePlaces(a.position, b.position);
}
