import type { RoomId, UserId } from '#kernel/ids';
import { scanPages } from '#projections/scan-pages';
import type { Views } from '#projections/views';
import type { UserRoomRow } from '../projections/membership.projector.js';

/** Every room that ever heard of a user, with what the user is there. */
export async function listUserRooms(views: Views, userId: UserId): Promise<Map<RoomId, UserRoomRow>> {
  const rooms = new Map<RoomId, UserRoomRow>();
  for await (const page of scanPages(views, 'user-rooms', { prefix: [userId] })) {
    for (const { key, value } of page) rooms.set(key[1] as RoomId, JSON.parse(value) as UserRoomRow);
  }
  return rooms;
}

/** The rooms a user is joined to: `GET /joined_rooms`. */
export async function listJoinedRooms(views: Views, userId: UserId): Promise<RoomId[]> {
  const rooms = await listUserRooms(views, userId);
  return [...rooms].flatMap(([roomId, { membership }]) => (membership === 'join' ? [roomId] : []));
}
