import { parseVerifyKey, type VerifyKey } from '#protocol/signing/signing-key';
import type { KeyRing } from '#rooms/audit/verify-room';
import type { PublicKey } from './messages.js';

/** The keys that are known, and how often another was asked for, by server. */
export function keyRing(
  keys: readonly PublicKey[],
  serverOfTheLog: string | undefined,
): { find: KeyRing; unknown: Map<string, number> } {
  const known = new Map<string, VerifyKey>();
  for (const { server, keyId, key } of keys) {
    const parsed = parseVerifyKey(key);
    if (parsed === undefined) continue;
    for (const name of [server, serverOfTheLog]) known.set(`${name} ${keyId}`, parsed);
  }
  const unknown = new Map<string, number>();
  const find: KeyRing = (server, keyId) => {
    const key = known.get(`${server} ${keyId}`);
    if (key === undefined) unknown.set(server, (unknown.get(server) ?? 0) + 1);
    return key;
  };
  return { find, unknown };
}
