import type { ServerName, UserId } from '#kernel/ids';
import type { ClaimedKey, DeviceKeyFact, NamedPublicKey } from '../facts/device-key-facts.js';
import type { DeviceKey } from '../facts/device-streams.js';
import type { KeyTime } from './decide-upload.js';
import { countKeys, evolveKeysOfDevice, type KeysOfDevice, keysOfDeviceMade } from './keys-of-device.js';

/** Somebody wants a one-time key of a device. */
export interface Claim {
  readonly algorithm: string;
  readonly by: UserId | ServerName;
}

/** A key of some algorithm, of a device. */
export interface WantedKey {
  readonly device: DeviceKey;
  readonly algorithm: string;
}

/** A key that nobody else is given. */
export interface GivenKey {
  readonly device: DeviceKey;
  readonly key: NamedPublicKey;
}

/** The keys that claims are given, in their order; undefined for one for which there is none. */
export interface Claims {
  readonly facts: readonly DeviceKeyFact[];
  readonly given: readonly (NamedPublicKey | undefined)[];
}

/**
 * Each claim is given the one-time key that was uploaded first, and nobody else is; where there is none left the fallback key of the
 * algorithm (client-server API, "One-time and fallback keys").
 */
export function decideClaims(keys: KeysOfDevice, claims: readonly Claim[], { createdTs, history }: KeyTime): Claims {
  const own = keysOfDeviceMade(keys, createdTs);
  const free = [...own.oneTimeKeys.values()].filter((key) => key.history === history);
  const used = new Set([...own.fallbackKeys.values()].filter((key) => key.used).map(({ algorithm }) => algorithm));
  const claimed: ClaimedKey[] = [];
  const given = claims.map(({ algorithm, by }) => {
    const at = free.findIndex((key) => key.algorithm === algorithm);
    const [oneTimeKey] = at < 0 ? [] : free.splice(at, 1);
    const key = oneTimeKey ?? own.fallbackKeys.get(algorithm);
    if (key === undefined || (oneTimeKey === undefined && used.has(algorithm))) return key;
    if (oneTimeKey === undefined) used.add(algorithm);
    const { key_id } = key;
    claimed.push(oneTimeKey === undefined ? { algorithm, key_id, by, fallback: true } : { algorithm, key_id, by });
    return key;
  });
  if (claimed.length === 0) return { facts: [], given };
  const type = 'one-time-keys-claimed';
  const data = { claims: claimed, created_ts: createdTs, after: { counts: {}, unused_fallback: [], history } };
  const after = countKeys(evolveKeysOfDevice(own, { type, data }), history);
  return { facts: [{ type, data: { ...data, after } }], given };
}
