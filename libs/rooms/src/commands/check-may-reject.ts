import type { NoticesConfig } from '#config/notices-config';
import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import { USER_ROOMS } from '../projections/membership.projector.js';
import { isNoticesRoom } from '../queries/is-notices-room.js';

/**
 * Whether a user may leave a room, who may be invited to it by the server to be told something: "The client must not expect to be able to
 * reject an invite to join the server notices room" (client-server API, module "Server Notices"). Who is in that room may leave it. Throws
 * M_CANNOT_LEAVE_SERVER_NOTICE_ROOM.
 */
export async function checkMayReject(
  views: Pick<Views, 'get' | 'getMany'>,
  notices: NoticesConfig | undefined,
  userId: UserId,
  roomId: RoomId,
): Promise<void> {
  if (notices === undefined) return;
  const { membership, sender } = (await USER_ROOMS.get(views, [userId, roomId])) ?? {};
  if (membership !== 'invite' || sender !== notices.userId || !(await isNoticesRoom(views, notices, roomId))) return;
  throw new MatrixError('M_CANNOT_LEAVE_SERVER_NOTICE_ROOM', 'You cannot reject this invite');
}
