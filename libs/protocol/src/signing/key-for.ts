import { hkdfSync } from 'node:crypto';

/** A key of 32 bytes for one purpose, made of a secret that has bits enough to be one, as a signing key's seed. Another purpose has another key. */
export function keyFor(secret: string | Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `annals ${purpose}`, 32));
}
