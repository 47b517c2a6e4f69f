import type { RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { UserRoomRow } from '../projections/membership.projector.js';

const PAGE = 1_000;

/** Every room that ever heard of a user, with what the user is there. */
export async function listUserRooms(views: Views, userId: UserId): Promise<Map<RoomId, UserRoomRow>> {
  const rooms = new Map<RoomId, UserRoomRow>();
  let after: readonly string[] | undefined;
  for (;;) {
    const page = await views.scan('user-rooms', { prefix: [userId], after, limit: PAGE });
    for (const { key, value } of page) rooms.set(key[1] as RoomId, JSON.parse(value) as UserRoomRow);
    if (page.length < PAGE) return rooms;
    after = page.at(-1)?.key;
  }
}

/** The rooms a user is joined to: `GET /joined_rooms`. */
export async function listJoinedRooms(views: Views, userId: UserId): Promise<RoomId[]> {
  const rooms = await listUserRooms(views, userId);
  return [...rooms].flatMap(([roomId, { membership }]) => (membership === 'join' ? [roomId] : []));
}
