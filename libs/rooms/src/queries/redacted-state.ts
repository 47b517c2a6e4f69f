import type { EventId, RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { REDACTED_STATE } from '../projections/room-state.projector.js';
import type { TimelineRow } from '../projections/timeline-row.js';
import { findPlaces, readRowsAt } from '../reading/event-rows.js';

/** NOTSPEC: of a room in which redactions took from more state events, no more are looked at. */
const MOST = 2_000;

/** The redactions that took effect on state events of a room, of those that came after a position and up to another. */
export async function listStateRedactions(
  views: Views,
  roomId: RoomId,
  after: Position,
  upTo: Position,
): Promise<TimelineRow[]> {
  const redacted = await REDACTED_STATE.scan(views, { prefix: [roomId], limit: MOST });
  const ids = new Set<EventId>(redacted.map(({ value }) => value));
  const places = await findPlaces(views, roomId, [...ids]);
  const between = places.filter((place) => place !== undefined && place.position > after && place.position <= upTo);
  return (await readRowsAt(views, roomId, between)).filter((row) => row !== undefined);
}
