import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { RoomEvent } from '#protocol/room-event';
import { eventOfStoredRow } from '../projections/stored-event.js';
import { findStateRow } from './state-rows.js';

/**
 * The current state events of some types with an empty state key, as far as the rules of power levels look at them: not for
 * deciding what goes into a room, which is the room's worker's.
 */
export async function findStateEvents(views: Views, roomId: RoomId, types: readonly string[]): Promise<RoomEvent[]> {
  const rows = await Promise.all(types.map((type) => findStateRow(views, roomId, type, '')));
  return rows.flatMap((row) => (row === undefined ? [] : [eventOfStoredRow(roomId, row)]));
}
