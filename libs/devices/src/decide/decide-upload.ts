import { isDeepStrictEqual } from 'node:util';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { DeviceKeyFact, NamedPublicKey } from '../facts/device-key-facts.js';
import {
  countKeys,
  evolveKeysOfDevice,
  isKeyOfHash,
  isSameKey,
  type KeysOfDevice,
  keysOfDeviceMade,
  nameOfKey,
} from './keys-of-device.js';
import { sumUp } from './sum-up.js';

/** What a device uploads, parsed. */
export interface KeyUpload {
  readonly deviceKeys?: JsonObject;
  readonly oneTimeKeys: readonly NamedPublicKey[];
  readonly fallbackKeys: readonly NamedPublicKey[];
}

/** What surrounds a decision upon a device's keys. */
export interface KeyTime {
  /** When the device was made. */
  readonly createdTs: number;
  /** The last restoration of the log. */
  readonly history: string;
}

/** All keys of one device, as JSON: hundreds of them fit. So all that stands can be said in one fact. */
const MOST_BYTES = 128 * 1024;

/**
 * An upload of keys. What is here already changes nothing, nor does a one-time key that was claimed lately: a client that was not told
 * that its upload arrived sends it again. Throws M_INVALID_PARAM for another key under the name of one of these, and M_TOO_LARGE
 * for more than is kept of one device.
 */
export function decideUpload(keys: KeysOfDevice, upload: KeyUpload, { createdTs, history }: KeyTime): DeviceKeyFact[] {
  let now = keysOfDeviceMade(keys, createdTs);
  const facts: DeviceKeyFact[] = [];
  const note = (fact: DeviceKeyFact): void => {
    now = evolveKeysOfDevice(now, fact);
    facts.push({
      ...fact,
      data: { ...fact.data, after: countKeys(now, history) },
    } as DeviceKeyFact);
  };
  const rest = {
    created_ts: createdTs,
    after: { counts: {}, unused_fallback: [], history },
  };
  const { deviceKeys, oneTimeKeys, fallbackKeys } = upload;
  if (deviceKeys !== undefined && !isDeepStrictEqual(deviceKeys, now.deviceKeys)) {
    note({
      type: 'device-keys-set',
      data: { device_keys: deviceKeys, ...rest },
    });
  }
  const added = oneTimeKeys.filter((key) => isNew(now, key));
  if (added.length > 0) note({ type: 'one-time-keys-added', data: { keys: added, ...rest } });
  const set = fallbackKeys.filter((key) => !isFallbackKey(now, key));
  if (set.length > 0) note({ type: 'fallback-keys-set', data: { keys: set, ...rest } });
  if (facts.length > 0 && Buffer.byteLength(JSON.stringify(sumUp(now, history).data)) > MOST_BYTES) {
    throw new MatrixError('M_TOO_LARGE', 'Too many keys, or too large ones');
  }
  return facts;
}

/** Whether a one-time key is to be added. One of before a restoration may have been claimed since: it counts as claimed. */
function isNew(keys: KeysOfDevice, key: NamedPublicKey): boolean {
  const name = nameOfKey(key);
  const known = keys.oneTimeKeys.get(name);
  const claimed = keys.claimed.get(name);
  if (known === undefined && claimed === undefined) return true;
  const isSame = known === undefined ? isKeyOfHash(key.key, claimed!) : isSameKey(known.key, key.key);
  if (!isSame) throw new MatrixError('M_INVALID_PARAM', `One time key ${name} already exists`);
  return false;
}

function isFallbackKey({ fallbackKeys }: KeysOfDevice, { algorithm, key_id: keyId, key }: NamedPublicKey): boolean {
  const known = fallbackKeys.get(algorithm);
  return known?.key_id === keyId && isDeepStrictEqual(known.key, key);
}
