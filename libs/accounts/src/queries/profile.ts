import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import { nameOfField } from '../facts/profile-fields.js';
import { PROFILES } from '../projections/profiles.projector.js';

/** What everybody may read of the profile of a local user, as JSON text. Throws M_NOT_FOUND. */
export async function getProfileText(views: Pick<Views, 'get'>, userId: UserId): Promise<string> {
  const text = await PROFILES.get(views, [userId]);
  if (text === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such profile');
  return text;
}

/** Before v1.16 these two were the whole profile, and asking for an unset one was no error. */
const ALWAYS_THERE: ReadonlySet<string> = new Set(['displayname', 'avatar_url']);

/**
 * An object of one key of what everybody may read of a profile, as `fieldOfProfile`. Throws M_NOT_FOUND where the user, or any other key,
 * is not there.
 */
export async function getProfileField(views: Pick<Views, 'get'>, userId: UserId, key: string): Promise<JsonObject> {
  return fieldOfProfile(JSON.parse(await getProfileText(views, userId)) as JsonObject, key);
}

/**
 * An object of one key of a profile, by whichever of its names; an empty one for a display name or avatar that is not set. Throws M_NOT_FOUND
 * where any other is not there.
 */
export function fieldOfProfile(profile: JsonObject, key: string): JsonObject {
  const own = nameOfField(key);
  const value = Object.hasOwn(profile, own) ? profile[own] : undefined;
  if (value !== undefined) return { [key]: value };
  if (ALWAYS_THERE.has(key)) return {};
  throw new MatrixError('M_NOT_FOUND', 'The profile has no such key');
}
