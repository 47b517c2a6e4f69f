import type { DeviceKeyFact } from '../facts/device-key-facts.js';
import { countKeys, hashOfKey, type KeysOfDevice, nameOfKey } from './keys-of-device.js';

/** All that stands of a device's keys, as one fact. One-time keys that are void by now are as good as claimed. */
export function sumUp(keys: KeysOfDevice, history: string): Extract<DeviceKeyFact, { type: 'device-keys-summed-up' }> {
  const { createdTs = 0, deviceKeys, oneTimeKeys, fallbackKeys, claimed } = keys;
  const all = [...oneTimeKeys.values()];
  const ofNow = all.filter((key) => key.history === history);
  const isVoid = all.filter((key) => key.history !== history);
  return {
    type: 'device-keys-summed-up',
    data: {
      created_ts: createdTs,
      device_keys: deviceKeys,
      one_time_keys: ofNow,
      fallback_keys: [...fallbackKeys.values()],
      claimed: [...isVoid.map((key) => [nameOfKey(key), hashOfKey(key.key)] as const), ...claimed],
      after: countKeys(keys, history),
    },
  };
}
