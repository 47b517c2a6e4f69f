import { LISTED_MOVES } from '#devices/projections/device-lists.projector';
import { RECEIPTS } from '#ephemeral/projections/receipts.projector';
import type { RoomId } from '#kernel/ids';
import { shortHash } from '#kernel/short-hash';
import { EVENT_MEDIA } from '#media/projections/shown-media';
import type { Views } from '#projections/views';
import { ROWS_A_STEP } from '#rooms/projections/purged-rows';
import { hasManyRows } from '#rooms/queries/has-many-rows';
import { hasManyWords } from '#search/queries/has-many-words';

/** Whether there is so much left of a room in the views that it does not go at once. */
export async function hasTooManyRows(views: Views, roomId: RoomId): Promise<boolean> {
  const many = ROWS_A_STEP + 1;
  if (await hasManyRows(views, roomId, many)) return true;
  for (const { name } of [RECEIPTS, LISTED_MOVES]) {
    if ((await views.scan(name, { prefix: [roomId], limit: many })).length === many) return true;
  }
  // One event may show thousands.
  const media = await views.scan(EVENT_MEDIA.name, { prefix: [shortHash(roomId)], limit: many });
  return media.length === many || hasManyWords(views, roomId, many);
}
