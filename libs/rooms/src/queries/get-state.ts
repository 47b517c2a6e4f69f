import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import type { TimelineRow } from '../projections/timeline-row.js';
import { findStateRow, listStateRows, listStateRowsAt } from './event-rows.js';
import { openRoom } from './room-access.js';

/**
 * The state of a room as the reader may see it: now, or where they left it. Throws M_FORBIDDEN where they may not read the
 * room at all.
 */
export async function listStateFor(views: Views, roomId: RoomId, userId: UserId): Promise<TimelineRow[]> {
  const { until } = await openRoom(views, roomId, userId);
  return until === undefined ? listStateRows(views, roomId) : listStateRowsAt(views, roomId, until);
}

/** One key of the state, as `listStateFor` would have it. Throws M_FORBIDDEN, M_NOT_FOUND. */
export async function getStateRow(
  views: Views,
  roomId: RoomId,
  userId: UserId,
  type: string,
  stateKey: string,
): Promise<TimelineRow> {
  const { until } = await openRoom(views, roomId, userId);
  const row =
    until === undefined
      ? await findStateRow(views, roomId, type, stateKey)
      : (await listStateRowsAt(views, roomId, until)).find(({ header }) => header.t === type && header.k === stateKey);
  if (row === undefined) throw new MatrixError('M_NOT_FOUND', 'The room has no such state');
  return row;
}
