import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { FILTERS } from '../projections/filters.projector.js';

/** The JSON text of a filter that the user has uploaded, undefined where there is none of that id. */
export function findFilterText(
  views: Pick<Views, 'get'>,
  userId: UserId,
  filterId: string,
): Promise<string | undefined> {
  return FILTERS.get(views, [userId, filterId]);
}
