import { parseVerifyKey, type VerifyKey } from '#protocol/signing/signing-key';
import type { KeyRing } from '#rooms/audit/verify-room';
import { keyInBatches, SignatureBatches } from '#rooms/worker/signature-batches';
import type { PublicKey } from './messages.js';

interface Known extends Pick<PublicKey, 'validity'> {
  readonly key: VerifyKey;
}

/** The keys that are known. Those without an end are the log's own server's too, whatever name it had when they were written. */
export function keyRing(keys: readonly PublicKey[], serverOfTheLog: string | undefined): KeyRing {
  const known = new Map<string, Known>();
  const batches = new SignatureBatches();
  for (const { server, keyId, key, validity } of keys) {
    const parsed = parseVerifyKey(key);
    if (parsed === undefined) continue;
    const one = { key: keyInBatches(parsed, batches), validity };
    const names = validity === undefined ? [server, serverOfTheLog] : [server];
    for (const name of names) known.set(`${name} ${keyId}`, one);
  }
  return (server, keyId, { ts, isEnforced }) => {
    const one = known.get(`${server} ${keyId}`);
    const { until = Infinity, isOld = false } = one?.validity ?? {};
    return ts > until && (isOld || isEnforced) ? 'not-valid' : one?.key;
  };
}
