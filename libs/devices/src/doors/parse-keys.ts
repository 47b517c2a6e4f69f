import type { DeviceId, UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import type { NamedPublicKey, PublicKey } from '../facts/device-key-facts.js';
import { refuse } from '../refuse-body.js';

const MAX_NAME_BYTES = 255;

/** An optional object of a body; null counts as absent. Throws M_BAD_JSON, naming it. */
export function findObject(body: JsonObject, key: string): JsonObject | undefined {
  const value = body[key];
  if (value === undefined || value === null) return undefined;
  return isJsonObject(value) ? value : refuse(key, 'must be an object');
}

function checkTexts(path: string, value: JsonValue | undefined): void {
  if (!isJsonObject(value)) refuse(path, 'must be an object');
  for (const text of Object.values(value)) if (typeof text !== 'string') refuse(path, 'must hold strings');
}

/** Throws M_BAD_JSON where it is no map of signers to maps of key ids to signatures. */
export function checkSignaturesForm(path: string, value: JsonValue | undefined): void {
  if (!isJsonObject(value)) refuse(path, 'must be an object');
  for (const of of Object.values(value)) checkTexts(path, of);
}

/**
 * The identity keys of a device, as `DeviceKeys` of the client-server API has them, without `unsigned`, which others add. Signatures are
 * for whoever asks for the keys to check, who trusts no server. Throws M_BAD_JSON; also where they are those of another device.
 */
export function parseDeviceKeys(keys: JsonObject, userId: UserId, deviceId: DeviceId): JsonObject {
  const { unsigned: _unsigned, ...own } = keys;
  if (own['user_id'] !== userId) refuse('device_keys.user_id', 'must be the user who uploads it');
  if (own['device_id'] !== deviceId) refuse('device_keys.device_id', 'must be the device that uploads it');
  const { algorithms } = own;
  if (!Array.isArray(algorithms) || !algorithms.every((one) => typeof one === 'string')) {
    refuse('device_keys.algorithms', 'must be a list of strings');
  }
  checkTexts('device_keys.keys', own['keys']);
  checkSignaturesForm('device_keys.signatures', own['signatures']);
  return own;
}

/** One-time or fallback keys, in their order. Throws M_BAD_JSON. */
export function parseNamedKeys(path: string, keys: JsonObject = {}): NamedPublicKey[] {
  return Object.entries(keys).map(([name, value]) => {
    const [algorithm, keyId, more] = name.split(':');
    if (!algorithm || !keyId || more !== undefined || Buffer.byteLength(name) > MAX_NAME_BYTES) {
      refuse(path, `not <algorithm>:<key_id>: ${name.slice(0, 80)}`);
    }
    return { algorithm, key_id: keyId, key: parsePublicKey(`${path}.${name}`, value) };
  });
}

function parsePublicKey(path: string, value: JsonValue | undefined): PublicKey {
  if (typeof value === 'string') return value;
  if (!isJsonObject(value)) refuse(path, 'must be a string or an object');
  if (typeof value['key'] !== 'string') refuse(`${path}.key`, 'must be a string');
  checkSignaturesForm(`${path}.signatures`, value['signatures']);
  return value;
}
