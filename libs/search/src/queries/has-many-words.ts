import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { roomMark, shelfOf, SHELVES, TEXTS, WORDS } from '../projections/search-collections.js';

/** Whether there are as many rows of the words, or of the texts, of a room. */
export async function hasManyWords(views: Views, roomId: RoomId, many: number): Promise<boolean> {
  const room = roomMark(roomId);
  if ((await TEXTS.scan(views, { prefix: [room], limit: many })).length === many) return true;
  for (const name of [shelfOf(room, false), shelfOf(room, true)]) {
    const shelf = (await SHELVES.get(views, [name]))?.shelf ?? '';
    if (shelf === '') continue;
    if ((await WORDS.scan(views, { prefix: [shelf], limit: many })).length === many) return true;
  }
  return false;
}
