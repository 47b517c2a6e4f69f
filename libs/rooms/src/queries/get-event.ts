import type { EventId, RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import type { TimelineRow } from '../projections/timeline-row.js';
import { findRowInRoom, findRowsById } from './event-rows.js';
import { isVisible, readerHistory } from './visibility.js';

/**
 * One event of a room, for a reader who may see it. Throws M_NOT_FOUND otherwise, whatever the reason: the room does not
 * have it, or the reader may not see it.
 */
export async function getEvent(views: Views, roomId: RoomId, eventId: EventId, userId: UserId): Promise<TimelineRow> {
  const row = await findRowInRoom(views, roomId, eventId);
  if (row !== undefined && isVisible(row.header, await readerHistory(views, roomId, userId))) return row;
  throw new MatrixError('M_NOT_FOUND', 'No such event, or you may not see it');
}

/** As `getEvent`, where the request names no room (`GET /events/{eventId}`). */
export async function getEventAnywhere(views: Views, eventId: EventId, userId: UserId): Promise<TimelineRow> {
  const [found] = await findRowsById(views, [eventId]);
  if (found === undefined) throw new MatrixError('M_NOT_FOUND', 'No such event, or you may not see it');
  return getEvent(views, found.roomId, eventId, userId);
}
