import type { NoticesConfig } from '#config/notices-config';
import type { RoomId } from '#kernel/ids';
import { refuseSuspended } from '#kernel/refuse-suspended';
import type { Requester } from '#kernel/requester';
import type { Views } from '#projections/views';
import { findStateRow } from '../queries/state-rows.js';

/**
 * As `refuseSuspended`, but not in the room in which this server speaks to the user, where the room alone says who may do what: "Where a room is used to
 * maintain communication between server administration teams and the suspended user, servers are recommended to allow the user to send events to
 * that room specifically" (client-server API, "Account suspension").
 */
export async function refuseSuspendedInRoom(
  views: Views,
  notices: NoticesConfig | undefined,
  requester: Requester,
  roomId: RoomId,
): Promise<void> {
  const isRestricted = requester.isSuspended === true || requester.consentUri !== undefined;
  if (!isRestricted || (notices !== undefined && (await isBegunBy(views, notices, roomId)))) return;
  refuseSuspended(requester);
}

/** Nobody else begins rooms in the name of the notices user. */
async function isBegunBy(views: Views, { userId }: NoticesConfig, roomId: RoomId): Promise<boolean> {
  const create = await findStateRow(views, roomId, 'm.room.create', '');
  return create?.header.sender === userId;
}
