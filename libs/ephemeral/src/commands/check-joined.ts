import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';

/** Throws M_FORBIDDEN unless the user is in the room. */
export async function checkJoined(views: Pick<Views, 'get'>, roomId: RoomId, userId: UserId): Promise<void> {
  const row = await views.get('user-rooms', [userId, roomId]);
  const membership = row === undefined ? undefined : (JSON.parse(row) as JsonObject)['membership'];
  if (membership !== 'join') throw new MatrixError('M_FORBIDDEN', 'You are not in this room');
}
