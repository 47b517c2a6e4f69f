import type { RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { USER_ROOMS, type UserRoomRow } from '../projections/membership.projector.js';

/** Every room that ever heard of a user, with what the user is there. */
export async function listUserRooms(views: Views, userId: UserId): Promise<Map<RoomId, UserRoomRow>> {
  const rooms = new Map<RoomId, UserRoomRow>();
  for await (const page of USER_ROOMS.pages(views, { prefix: [userId] })) {
    for (const { key, value } of page) rooms.set(key[1], value);
  }
  return rooms;
}

/** The rooms a user is joined to: `GET /joined_rooms`. */
export async function listJoinedRooms(views: Views, userId: UserId): Promise<RoomId[]> {
  const rooms = await listUserRooms(views, userId);
  return [...rooms].flatMap(([roomId, { membership }]) => (membership === 'join' ? [roomId] : []));
}
