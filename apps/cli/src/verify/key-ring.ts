import { parseVerifyKey, type VerifyKey } from '#protocol/signing/signing-key';
import type { KeyRing } from '#rooms/audit/verify-room';
import { keyInBatches, SignatureBatches } from '#rooms/worker/signature-batches';
import type { PublicKey } from './messages.js';

/** The keys that are known. All of them are the log's own server's too, whatever name it had when they were written. */
export function keyRing(keys: readonly PublicKey[], serverOfTheLog: string | undefined): KeyRing {
  const known = new Map<string, VerifyKey>();
  const batches = new SignatureBatches();
  for (const { server, keyId, key } of keys) {
    const parsed = parseVerifyKey(key);
    if (parsed === undefined) continue;
    const together = keyInBatches(parsed, batches);
    for (const name of [server, serverOfTheLog]) known.set(`${name} ${keyId}`, together);
  }
  return (server, keyId) => known.get(`${server} ${keyId}`);
}
