import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { type SigningKeys, signingKeyOfDevice } from '../decide/check-signatures.js';
import { DEVICE_KEYS } from '../projections/device-keys.projector.js';

/** The keys by which the devices of a user sign. */
export async function readDeviceSigningKeys(views: Pick<Views, 'scan'>, userId: UserId): Promise<SigningKeys> {
  const keys = new Map<string, string>();
  for await (const page of DEVICE_KEYS.pages(views, { prefix: [userId] })) {
    for (const { key, value } of page) {
      for (const [keyId, publicKey] of signingKeyOfDevice(key[1], value.device_keys)) keys.set(keyId, publicKey);
    }
  }
  return keys;
}
