import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Views } from '#projections/views';

/** The JSON text of a filter that the user has uploaded, undefined where there is none of that id. */
export function findFilterText(
  views: Pick<Views, 'get'>,
  userId: UserId,
  filterId: string,
): Promise<string | undefined> {
  return views.get('filters', [userId, filterId]);
}

/** The filter itself, as it was uploaded (it was checked then: `parseFilter`). */
export async function findFilter(
  views: Pick<Views, 'get'>,
  userId: UserId,
  filterId: string,
): Promise<JsonObject | undefined> {
  const text = await findFilterText(views, userId, filterId);
  return text === undefined ? undefined : (JSON.parse(text) as JsonObject);
}
