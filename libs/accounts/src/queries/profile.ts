import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import { PROFILES } from '../projections/profiles.projector.js';

/** The profile of a local user as JSON text. Throws M_NOT_FOUND. */
export async function getProfileText(views: Pick<Views, 'get'>, userId: UserId): Promise<string> {
  const text = await PROFILES.get(views, [userId]);
  if (text === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such profile');
  return text;
}

/** Before v1.16 these two were the whole profile, and asking for an unset one was no error. */
const ALWAYS_THERE: ReadonlySet<string> = new Set(['displayname', 'avatar_url']);

/**
 * An object of one key of a profile; an empty one for a display name or avatar that is not set. Throws M_NOT_FOUND where the
 * user, or any other key, is not there.
 */
export async function getProfileField(views: Pick<Views, 'get'>, userId: UserId, key: string): Promise<JsonObject> {
  return fieldOfProfile(JSON.parse(await getProfileText(views, userId)) as JsonObject, key);
}

/** As `getProfileField`, of a profile that is at hand. */
export function fieldOfProfile(profile: JsonObject, key: string): JsonObject {
  const value = Object.hasOwn(profile, key) ? profile[key] : undefined;
  if (value !== undefined) return { [key]: value };
  if (ALWAYS_THERE.has(key)) return {};
  throw new MatrixError('M_NOT_FOUND', 'The profile has no such key');
}
