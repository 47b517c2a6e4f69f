import type { RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { MEMBERS } from '../projections/membership.projector.js';

/** What a user is in a room now; undefined where the room never heard of them. */
export async function findMembership(
  views: Pick<Views, 'get'>,
  roomId: RoomId,
  userId: UserId,
): Promise<string | undefined> {
  return (await MEMBERS.get(views, [roomId, userId]))?.membership;
}
