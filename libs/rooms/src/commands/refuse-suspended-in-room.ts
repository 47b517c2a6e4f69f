import type { NoticesConfig } from '#config/notices-config';
import type { RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { refuseSuspended } from '#kernel/refuse-suspended';
import type { Requester } from '#kernel/requester';
import type { Views } from '#projections/views';
import { isNoticesRoom } from '../queries/is-notices-room.js';
import { SHOWN_IN_ROOMS } from './change-membership.js';

/** What a join may say besides: how they are called there, and what another server has signed, which is asked for it. */
const NOT_OF_SUSPENDED = [...SHOWN_IN_ROOMS, 'third_party_signed'];

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
  if (!isRestricted(requester)) return;
  if (notices === undefined || !(await isNoticesRoom(views, notices, roomId))) refuseSuspended(requester);
}

/** As `refuseSuspendedInRoom`, of a join: there, too, nobody who is suspended is called otherwise than elsewhere, nor is another server asked for them. */
export async function refuseJoinOfSuspended(
  views: Views,
  notices: NoticesConfig | undefined,
  requester: Requester,
  roomId: RoomId,
  content: JsonObject,
): Promise<void> {
  if (NOT_OF_SUSPENDED.some((key) => content[key] !== undefined)) refuseSuspended(requester);
  await refuseSuspendedInRoom(views, notices, requester, roomId);
}

/** Whether `refuseSuspended` throws. */
export function isRestricted({ isSuspended, consentUri }: Pick<Requester, 'isSuspended' | 'consentUri'>): boolean {
  return isSuspended === true || consentUri !== undefined;
}
