import type { UserId } from '#kernel/ids';
import type { DeviceKeyFact, NamedPublicKey, OneTimeKeyClaimed } from '../facts/device-key-facts.js';
import type { KeyTime } from './decide-upload.js';
import { countKeys, evolveKeysOfDevice, type KeysOfDevice, keysOfDeviceMade } from './keys-of-device.js';

/** Somebody wants a one-time key of a device. */
export interface Claim {
  readonly algorithm: string;
  readonly by: UserId;
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
  let now = keysOfDeviceMade(keys, createdTs);
  const facts: DeviceKeyFact[] = [];
  const given = claims.map(({ algorithm, by }) => {
    const oneTimeKey = [...now.oneTimeKeys.values()].find(
      (key) => key.algorithm === algorithm && key.history === history,
    );
    const fallback = oneTimeKey === undefined ? now.fallbackKeys.get(algorithm) : undefined;
    const key = oneTimeKey ?? fallback;
    if (key === undefined || fallback?.used === true) return key;
    const claimed: Omit<OneTimeKeyClaimed, 'after'> = {
      algorithm,
      key_id: key.key_id,
      by,
      ...(fallback === undefined ? {} : { fallback: true }),
      created_ts: createdTs,
    };
    now = evolveKeysOfDevice(now, {
      type: 'one-time-key-claimed',
      data: { ...claimed, after: countKeys(now, history) },
    });
    facts.push({ type: 'one-time-key-claimed', data: { ...claimed, after: countKeys(now, history) } });
    return key;
  });
  return { facts, given };
}
