import type { RoomId, ServerName } from '#kernel/ids';
import type { Views } from '#projections/views';
import { isServerIn } from '#rooms/reading/server-standing';
import { PUBLIC_ROOMS } from '../projections/directory.projector.js';

/**
 * The rooms of this server's directory, some hundreds at a time. Of those that were put into it, the ones that somebody here is in:
 * nobody else can be let in by this server, and what is known here of a room that all of ours have left is of the past.
 */
export async function* listedRooms(views: Views, ours: ServerName): AsyncGenerator<RoomId[], void> {
  for await (const page of PUBLIC_ROOMS.pages(views, {})) {
    const rooms = page.map(({ key: [roomId] }) => roomId);
    const isHere = await Promise.all(rooms.map((roomId) => isServerIn(views, roomId, ours)));
    yield rooms.filter((_, i) => isHere[i]);
  }
}
