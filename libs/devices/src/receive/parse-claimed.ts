import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import type { GivenKey, WantedKey } from '../decide/decide-claims.js';
import type { PublicKey } from '../facts/device-key-facts.js';

/** What one key may have. */
const MOST_KEY_BYTES = 16 * 1024;

/**
 * The keys in an answer to `POST /user/keys/claim` (server-server API, "End-to-End Encryption"): of those that were wanted one each, where
 * it is of the algorithm and of a readable form. Their signatures are for who asks to check.
 */
export function parseClaimed(wanted: readonly WantedKey[], { one_time_keys: users }: JsonObject): GivenKey[] {
  if (!isJsonObject(users)) return [];
  return wanted.flatMap(({ device, algorithm }) => {
    const [userId, deviceId] = device;
    const devices = ownOf(users, userId);
    const keys = isJsonObject(devices) ? ownOf(devices, deviceId) : undefined;
    if (!isJsonObject(keys)) return [];
    for (const [name, key] of Object.entries(keys)) {
      const [given, keyId] = name.split(':');
      if (given !== algorithm || keyId === undefined || keyId === '' || !isPublicKey(key)) continue;
      return [{ device, key: { algorithm, key_id: keyId, key } }];
    }
    return [];
  });
}

function ownOf(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function isPublicKey(key: JsonValue | undefined): key is PublicKey {
  if (typeof key !== 'string' && !(isJsonObject(key) && typeof key['key'] === 'string')) return false;
  return Buffer.byteLength(JSON.stringify(key)) <= MOST_KEY_BYTES;
}
