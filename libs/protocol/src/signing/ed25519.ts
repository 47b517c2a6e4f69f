import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { createRequire } from 'node:module';

/** Ed25519 signatures (RFC 8032): bytes in, bytes out. */
export interface Ed25519 {
  /** The key of a seed of 32 bytes: its public half, and what signs with it. */
  keyOf(seed: Buffer): { readonly publicKey: Buffer; readonly sign: (message: Uint8Array) => Buffer };
  /** What tells whether a signature over a message was made with the key of these 32 bytes. It never throws. */
  verifier(publicKey: Buffer): (message: Uint8Array, signature: Uint8Array) => boolean;
}

const KEY_BYTES = 32;
const SECRET_BYTES = 64;
const SIGNATURE_BYTES = 64;

/** What is used of libsodium. */
interface Sodium {
  crypto_sign_seed_keypair(publicKey: Buffer, secretKey: Buffer, seed: Buffer): void;
  crypto_sign_detached(signature: Buffer, message: Uint8Array, secretKey: Buffer): void;
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Buffer): boolean;
}

/** Signatures made and checked by libsodium. */
function bySodium(sodium: Sodium): Ed25519 {
  return {
    keyOf(seed) {
      const publicKey = Buffer.alloc(KEY_BYTES);
      const secretKey = Buffer.alloc(SECRET_BYTES);
      sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed);
      return {
        publicKey,
        sign(message) {
          const signature = Buffer.alloc(SIGNATURE_BYTES);
          sodium.crypto_sign_detached(signature, message, secretKey);
          return signature;
        },
      };
    },
    verifier: (publicKey) => (message, signature) =>
      signature.length === SIGNATURE_BYTES && sodium.crypto_sign_verify_detached(signature, message, publicKey),
  };
}

/**
 * The points of small order: the bytes of y, the lowest first, without the sign of x; also as they should not be written. What has one
 * for its key was signed by nobody and holds all the same, by the equation alone.
 */
const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((hex) => Buffer.from(hex, 'hex'));

/**
 * Whether a key, or what a signature begins with, is a point of small order. libsodium takes neither, and OpenSSL takes both: servers
 * must be of one mind about every signature.
 */
export function hasSmallOrder(point: Uint8Array): boolean {
  return SMALL_ORDER.some((small) => small.every((byte, i) => byte === (i === 31 ? point[i]! & 0x7f : point[i])));
}

/** What comes before the 32 bytes in DER: RFC 8410, sections 4 and 7. */
const PUBLIC_KEY_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const PRIVATE_KEY_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Signatures made and checked by Node's own OpenSSL. */
export const byOpenssl: Ed25519 = {
  keyOf(seed) {
    const der = Buffer.concat([PRIVATE_KEY_PREFIX, seed]);
    const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-KEY_BYTES);
    return { publicKey, sign: (message) => sign(null, message, privateKey) };
  },
  verifier(publicKey) {
    if (hasSmallOrder(publicKey)) return () => false;
    const der = Buffer.concat([PUBLIC_KEY_PREFIX, publicKey]);
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return (message, signature) => !hasSmallOrder(signature) && verify(null, message, key, signature);
  },
};

/** libsodium as a library of this process, and the path by which a thread of it loads it; undefined where the machine has none. */
function loadSodium(): { readonly path: string; readonly sodium: Sodium } | undefined {
  const require = createRequire(import.meta.url);
  try {
    const path = require.resolve('sodium-native');
    return { path, sodium: require(path) as Sodium };
  } catch {
    // It comes compiled, and not for every system.
    return undefined;
  }
}

const loaded = loadSodium();

/** Where threads of this process find libsodium; undefined where there is none for this machine. */
export const SODIUM_PATH = loaded?.path;

/**
 * PERF: libsodium takes half of the time that OpenSSL does (bench/seal-event.ts), and it is what most other homeservers check
 * signatures with. OpenSSL serves the systems for which it does not come compiled.
 */
export const ed25519: Ed25519 = loaded === undefined ? byOpenssl : bySodium(loaded.sodium);
