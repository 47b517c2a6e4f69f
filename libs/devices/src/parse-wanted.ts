import { type DeviceId, isUserId, parseDeviceId, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { WantedKey } from './decide/decide-claims.js';
import type { WantedDevices } from './queries/query-keys.js';
import { refuse } from './refuse-body.js';

/** So many devices, or users, are asked for at once at most. */
const MOST = 10_000;

/** The entries of an object of a body that must be there, with a user id each. Throws M_MISSING_PARAM, M_BAD_JSON, M_INVALID_PARAM. */
function usersOf(body: JsonObject, key: string): [UserId, unknown][] {
  const value = body[key];
  if (value === undefined || value === null) throw new MatrixError('M_MISSING_PARAM', `${key}: required`);
  if (!isJsonObject(value)) refuse(key, 'must be an object');
  const entries = Object.entries(value);
  if (entries.length > MOST) refuse(key, `more than ${MOST} users`);
  return entries.map(([userId, of]) => [parseKeyOwner(userId), of]);
}

/** A user id to the letter: keys are signed with it. Throws M_INVALID_PARAM. */
export function parseKeyOwner(text: string): UserId {
  if (isUserId(text)) return text;
  throw new MatrixError('M_INVALID_PARAM', `Not a user ID: ${text.slice(0, 80)}`);
}

/** `device_keys` of POST /keys/query: a list of device ids for each user. Throws M_MISSING_PARAM, M_BAD_JSON, M_INVALID_PARAM. */
export function parseWantedDevices(body: JsonObject): WantedDevices {
  return new Map(
    usersOf(body, 'device_keys').map(([userId, ids]) => {
      if (!Array.isArray(ids) || ids.length > MOST || !ids.every((id) => typeof id === 'string')) {
        refuse(`device_keys.${userId}`, 'must be a list of device IDs');
      }
      return [userId, ids as DeviceId[]]; // of one that cannot be an id there is no row
    }),
  );
}

/** `one_time_keys` of POST /keys/claim: an algorithm for each device of each user. Throws M_MISSING_PARAM, M_BAD_JSON, M_INVALID_PARAM. */
export function parseWantedKeys(body: JsonObject): WantedKey[] {
  const wanted = usersOf(body, 'one_time_keys').flatMap(([userId, devices]) => {
    if (!isJsonObject(devices)) refuse(`one_time_keys.${userId}`, 'must be an object');
    return Object.entries(devices).map(([deviceId, algorithm]): WantedKey => {
      if (typeof algorithm !== 'string') refuse(`one_time_keys.${userId}.${deviceId}`, 'must be an algorithm');
      return { device: [userId, parseDeviceId(deviceId)], algorithm };
    });
  });
  if (wanted.length > MOST) refuse('one_time_keys', `more than ${MOST} devices`);
  return wanted;
}
