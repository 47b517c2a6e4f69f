import type { RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { MEMBERS, USER_ROOMS } from '../projections/membership.projector.js';

/** What a user is in a room now; undefined where the room never heard of them. */
export async function findMembership(
  views: Pick<Views, 'get'>,
  roomId: RoomId,
  userId: UserId,
): Promise<string | undefined> {
  return (await MEMBERS.get(views, [roomId, userId]))?.membership;
}

/** As `findMembership`, of a user of this server, also of rooms that are not here: what they are there by an invitation or a knock. */
export async function findMembershipAnywhere(
  views: Pick<Views, 'get'>,
  roomId: RoomId,
  userId: UserId,
): Promise<string | undefined> {
  return (await USER_ROOMS.get(views, [userId, roomId]))?.membership;
}
