import { randomInt } from 'node:crypto';
import nacl from 'tweetnacl';
import { decodeBase64, encodeBase64 } from './base64.js';
import { ed25519 } from './ed25519.js';

/** An Ed25519 key that this server signs with. */
export interface SigningKey {
  /** `ed25519:` and the version: the "signing key identifier" of the specification. */
  readonly keyId: string;
  /** 32 bytes. */
  readonly publicKey: Buffer;
  /** The 64 bytes of the signature over some bytes, or over the UTF-8 of a text. */
  sign(message: Uint8Array | string): Buffer;
  /** The 32 secret bytes. A method, so that no log line or dump of the object shows them. */
  exportSeed(): Buffer;
}

/** An Ed25519 key of someone else, ready to check signatures: whoever keeps keys keeps it in this form. */
export interface VerifyKey {
  readonly publicKey: Buffer;
  /** Whether a signature over some bytes, or over the UTF-8 of a text, was made with this key. Never throws. */
  verify(message: Uint8Array | string, signature: Uint8Array): boolean;
  /** The same, for whoever has many to check: a key may check those that come at once on other cores (`checkingTogether`). */
  verifyAside(message: Uint8Array | string, signature: Uint8Array): Promise<boolean>;
}

const KEY_BYTES = 32;
/** The version of a key id as the specification of server keys has it. */
const KEY_VERSION = /^[A-Za-z0-9_]+$/;

function bytesOf(message: Uint8Array | string): Uint8Array {
  return typeof message === 'string' ? Buffer.from(message) : message;
}

/** The signing key of a seed of 32 bytes. Throws where the seed has another length or the version is none. */
export function createSigningKey(seed: Uint8Array, version: string): SigningKey {
  if (seed.length !== KEY_BYTES) throw new Error(`A signing key's seed has 32 bytes, not ${seed.length}`);
  if (!KEY_VERSION.test(version)) throw new Error(`Not the version of a signing key: ${version}`);
  const secret = Buffer.from(seed);
  const { publicKey, sign } = ed25519.keyOf(secret);
  return Object.freeze({
    keyId: `ed25519:${version}`,
    publicKey,
    sign: (message: Uint8Array | string) => sign(bytesOf(message)),
    exportSeed: () => Buffer.from(secret),
  });
}

/** A new signing key of random bytes, with a random version. */
export function generateSigningKey(): SigningKey {
  const letters = Array.from({ length: 4 }, () => String.fromCharCode(0x61 + randomInt(26)));
  return createSigningKey(nacl.sign.keyPair().secretKey.subarray(0, KEY_BYTES), `a_${letters.join('')}`);
}

/** The line of a key file for a signing key: algorithm, version and seed, as other homeservers write it too. */
export function encodeSigningKey(key: SigningKey): string {
  return `${key.keyId.replace(':', ' ')} ${encodeBase64(key.exportSeed())}\n`;
}

/** The signing key of the line of a key file. Throws where it is none. */
export function decodeSigningKey(line: string): SigningKey {
  const [algorithm, version, base64, ...rest] = line.trim().split(/\s+/);
  const seed = base64 === undefined ? undefined : decodeBase64(base64);
  if (algorithm !== 'ed25519' || version === undefined || seed === undefined || rest.length > 0) {
    throw new Error('Not a signing key: expected "ed25519 <version> <seed in base64>"');
  }
  return createSigningKey(seed, version);
}

/** The key of 32 bytes (or their base64) to check signatures with; undefined where it is no Ed25519 key. */
export function parseVerifyKey(publicKey: Uint8Array | string): VerifyKey | undefined {
  const bytes = typeof publicKey === 'string' ? decodeBase64(publicKey) : Buffer.from(publicKey);
  if (bytes?.length !== KEY_BYTES) return undefined;
  const holds = ed25519.verifier(bytes);
  const verify = (message: Uint8Array | string, signature: Uint8Array): boolean => holds(bytesOf(message), signature);
  return Object.freeze({
    publicKey: bytes,
    verify,
    verifyAside: (message: Uint8Array | string, signature: Uint8Array) => Promise.resolve(verify(message, signature)),
  });
}

/** Injection token of this server's SigningKey. */
export const SIGNING_KEY = Symbol.for('annals.SigningKey');
