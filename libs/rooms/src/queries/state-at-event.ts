import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { RoomGraph } from '../graph/room-graph.js';
import type { RowHeader, TimelineRow } from '../projections/timeline-row.js';
import { findRowsById } from '../reading/event-rows.js';
import { findStateRowsAt, listStateRowsAt, type StateKey } from './state-rows.js';

/** What is needed of an event to find the state after it. */
type PlacedEvent = Pick<RowHeader, 'eventId' | 'position' | 'isHistory'>;

/** The state of a room just after one of its events; of one of the past, as far as it is known what held it. */
export async function listStateRowsAfter(views: Views, roomId: RoomId, event: PlacedEvent): Promise<TimelineRow[]> {
  if (event.isHistory !== true) return listStateRowsAt(views, roomId, event.position);
  const entries = (await (await new RoomGraph(views, roomId).findStateAfter(event.eventId))?.list()) ?? [];
  const rows = await findRowsById(
    views,
    roomId,
    entries.map(({ eventId }) => eventId),
  );
  return rows.filter((row) => row !== undefined);
}

/** Some keys of the state just after an event, without those that it does not have. */
export async function findStateRowsAfter(
  views: Views,
  roomId: RoomId,
  keys: readonly StateKey[],
  event: PlacedEvent,
): Promise<TimelineRow[]> {
  if (event.isHistory !== true) {
    return (await findStateRowsAt(views, roomId, keys, event.position)).filter((row) => row !== undefined);
  }
  const state = await new RoomGraph(views, roomId).findStateAfter(event.eventId);
  const ids = (await state?.findMany(keys.map(([type, stateKey]) => ({ type, stateKey })))) ?? [];
  const rows = await findRowsById(
    views,
    roomId,
    ids.filter((id) => id !== undefined),
  );
  return rows.filter((row) => row !== undefined);
}
