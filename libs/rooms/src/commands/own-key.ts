import { parseVerifyKey } from '#protocol/signing/signing-key';
import type { EventAuthor } from '../decide/decide-event.js';
import type { ServerKeys } from '../server-keys.js';

/** The keys that a server knows which has asked nobody: its own, for events of its own come back to it. */
export function ownKey({ serverName, signingKey }: EventAuthor): ServerKeys {
  const key = parseVerifyKey(signingKey.publicKey);
  if (key === undefined) throw new Error('the signing key is none');
  const own = { key, validUntil: Infinity, isOld: false };
  return { find: (name, keyId) => (name === serverName && keyId === signingKey.keyId ? own : undefined) };
}
