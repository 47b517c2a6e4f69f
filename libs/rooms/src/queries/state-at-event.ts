import type { RoomId } from '#kernel/ids';
import { Turn } from '#projections/turn';
import type { Views } from '#projections/views';
import type { StateEntry } from '#protocol/state-trie/state-trie';
import { GRAPH_COLLECTIONS } from '../graph/graph-rows.js';
import { type GraphState, RoomGraph } from '../graph/room-graph.js';
import { parseRow, type RowHeader, type TimelineRow } from '../projections/timeline-row.js';
import { findRowsById } from '../reading/event-rows.js';
import { findStateRowsAt, listStateRowsAt, type StateKey } from './state-rows.js';

/*
 * The state after an event is the graph's to tell: where a room forks it is not what the room's state was at that place of the
 * log, which `state-rows.ts` tells. Where an operator holds the graph back, that is the next best there is for an event of
 * the live order; of one of the past nothing is known then.
 */

/** What is needed of an event to find the state after it. */
type PlacedEvent = Pick<RowHeader, 'eventId' | 'position' | 'isHistory'>;

/** How many rows are read at once. PERF: other work runs in between. */
const AT_ONCE = 512;

/** The state of a room just after one of its events; of its members only `members`, where given. */
export async function listStateRowsAfter(
  views: Views,
  roomId: RoomId,
  event: PlacedEvent,
  members?: ReadonlySet<string>,
): Promise<TimelineRow[]> {
  const isWanted = (type: string, stateKey = ''): boolean =>
    members === undefined || type !== 'm.room.member' || members.has(stateKey);
  const state = await findState(views, roomId, event);
  if (state === undefined) {
    const rows = event.isHistory === true ? [] : await listStateRowsAt(views, roomId, event.position);
    return rows.filter(({ header }) => isWanted(header.type, header.stateKey));
  }
  const wanted = (await state.list()).filter(({ type, stateKey }) => isWanted(type, stateKey));
  const rows: TimelineRow[] = [];
  const turn = new Turn();
  for (let i = 0; i < wanted.length; i += AT_ONCE) {
    rows.push(...(await readRows(views, roomId, wanted.slice(i, i + AT_ONCE))));
    if (turn.isOver()) await turn.pass();
  }
  return rows;
}

/** Some keys of the state just after an event, without those that it does not have. */
export async function findStateRowsAfter(
  views: Views,
  roomId: RoomId,
  keys: readonly StateKey[],
  event: PlacedEvent,
): Promise<TimelineRow[]> {
  const state = await findState(views, roomId, event);
  if (state === undefined) {
    const rows = event.isHistory === true ? [] : await findStateRowsAt(views, roomId, keys, event.position);
    return rows.filter((row) => row !== undefined);
  }
  const wanted = keys.map(([type, stateKey]) => ({ type, stateKey }));
  const ids = await state.findMany(wanted);
  const entries = wanted.flatMap((key, i) => (ids[i] === undefined ? [] : [{ ...key, eventId: ids[i] }]));
  return readRows(views, roomId, entries);
}

async function findState(
  views: Views,
  roomId: RoomId,
  { eventId, position }: PlacedEvent,
): Promise<GraphState | undefined> {
  await views.whenProcessed(position, GRAPH_COLLECTIONS);
  return new RoomGraph(views, roomId).findStateAfter(eventId);
}

/** What holds a key still is read by the key, for it may be an event that has no place of its own; the rest by their ids. */
async function readRows(views: Views, roomId: RoomId, entries: readonly StateEntry[]): Promise<TimelineRow[]> {
  const texts = await views.getMany(
    'room-state',
    entries.map(({ type, stateKey }) => [roomId, type, stateKey]),
  );
  const rows = texts.map((text) => (text === undefined ? undefined : parseRow(text)));
  const replaced = [...entries.keys()].filter((i) => rows[i]?.header.eventId !== entries[i]!.eventId);
  const found = await findRowsById(
    views,
    roomId,
    replaced.map((i) => entries[i]!.eventId),
  );
  for (const [n, i] of replaced.entries()) rows[i] = found[n];
  return rows.filter((row) => row !== undefined);
}
