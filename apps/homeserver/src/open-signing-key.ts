import { linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeSigningKey, encodeSigningKey, generateSigningKey, type SigningKey } from '#protocol/signing/signing-key';

/** Reads the server's signing key from a directory, or makes it at the first start: a file that only its owner can read. */
export function openSigningKey(directory: string): SigningKey {
  const path = join(directory, 'signing.key');
  return readKey(path) ?? createKey(path);
}

function readKey(path: string): SigningKey | undefined {
  try {
    return decodeSigningKey(readFileSync(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

function createKey(path: string): SigningKey {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, encodeSigningKey(generateSigningKey()), { mode: 0o600, flag: 'wx', flush: true });
  try {
    // A link is made whole or not at all, and never over a key that is there.
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(draft);
  }
  const key = readKey(path);
  if (key === undefined) throw new Error(`${path}: was made and is gone`);
  return key;
}
