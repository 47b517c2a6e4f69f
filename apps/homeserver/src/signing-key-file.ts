import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeSigningKey, encodeSigningKey, generateSigningKey, type SigningKey } from '#protocol/signing/signing-key';
import { giveToOwner } from '#event-store/give-to-owner';
import { syncDirectory } from '#event-store/sync-directory';

/** The file within `keys/`; only its owner can read it. */
export const SIGNING_KEY_FILE = 'signing.key';
/** A key that the log does not name yet. */
const DRAFT = 'signing.key.new';

/** The signing key in a directory, or the one that was drafted for it; undefined where there is neither. */
export function findSigningKey(directory: string): SigningKey | undefined {
  return readKey(join(directory, SIGNING_KEY_FILE)) ?? readKey(join(directory, DRAFT));
}

/** Makes a signing key that is not in use yet, or answers the one that was made before. */
export function draftSigningKey(directory: string): SigningKey {
  const path = join(directory, DRAFT);
  const own = join(directory, `${DRAFT}.${process.pid}`);
  writeFileSync(own, encodeSigningKey(generateSigningKey()), { mode: 0o600, flush: true });
  giveToOwner(own);
  linkOnce(own, path);
  unlinkSync(own);
  syncDirectory(directory);
  // Another process that started with this one may have taken it into use already.
  const key = readKey(path) ?? readKey(join(directory, SIGNING_KEY_FILE));
  if (key === undefined) throw new Error(`${path}: was made and is gone`);
  return key;
}

/** Takes the drafted key into use, where there is one. Never over a key that is there. */
export function keepSigningKey(directory: string): void {
  const draft = join(directory, DRAFT);
  linkOnce(draft, join(directory, SIGNING_KEY_FILE));
  syncDirectory(directory);
  try {
    unlinkSync(draft);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** The key that was drafted; undefined where none was, or it was taken into use. */
export function findDraftedKey(directory: string): SigningKey | undefined {
  return readKey(join(directory, DRAFT));
}

/** Where a key is kept that others have followed, by its id. */
export function oldKeyFile(keyId: string): string {
  return `old-${keyId.slice(keyId.indexOf(':') + 1)}.key`;
}

/** A key that this server signs with, or has signed with, by its id; undefined where it is not there any more. */
export function findKeyById(directory: string, keyId: string): SigningKey | undefined {
  const now = findSigningKey(directory);
  return now?.keyId === keyId ? now : readKey(join(directory, oldKeyFile(keyId)));
}

/** Takes the drafted key into use in the place of the one that is there, which stays as `old-{version}.key`. */
export function replaceSigningKey(directory: string): void {
  const path = join(directory, SIGNING_KEY_FILE);
  const old = readKey(path);
  if (old !== undefined) linkOnce(path, join(directory, oldKeyFile(old.keyId)));
  renameSync(join(directory, DRAFT), path);
  syncDirectory(directory);
}

/** A link is made whole or not at all. */
function linkOnce(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' && codeOf(error) !== 'ENOENT') throw error;
  }
}

function readKey(path: string): SigningKey | undefined {
  try {
    return decodeSigningKey(readFileSync(path, 'utf8'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
