import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Turn } from '#projections/turn';
import { listStateFor } from '#rooms/queries/get-state';
import { renderEvents } from '#rooms/queries/render-event';
import type { RoomReader } from '#rooms/reading/room-reader';
import type { Writing } from './render-search.js';

/** So many events are written at once. */
const AT_ONCE = 64;

/**
 * The state of a room as the reader may see it, a JSON text; undefined where they see events of it alone. `members`: of its members these
 * alone.
 */
export async function renderStateOf(
  { views, roomId, reader }: RoomReader,
  { form, now }: Writing,
  members: readonly UserId[] | undefined,
): Promise<string | undefined> {
  try {
    const { room, rows } = await listStateFor(views, roomId, reader, members);
    const turn = new Turn(1);
    const texts: string[] = [];
    for (let i = 0; i < rows.length; i += AT_ONCE) {
      texts.push(...(await renderEvents(rows.slice(i, i + AT_ONCE), { room, now }, form)));
      if (turn.isOver()) await turn.pass();
    }
    return `[${texts.join()}]`;
  } catch (error) {
    if (error instanceof MatrixError) return undefined;
    throw error;
  }
}
