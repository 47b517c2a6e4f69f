import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeBase64 } from '#protocol/signing/base64';
import { decodeSigningKey, type SigningKey } from '#protocol/signing/signing-key';
import { messageOf } from '#kernel/message-of';
import type { PublicKey } from './messages.js';

/** A key file of the server, or why it cannot be read. */
export type KeyFile = { readonly path: string } & (
  | { readonly key: SigningKey; readonly error?: undefined }
  | { readonly error: string; readonly key?: undefined }
);

/** The signing keys in `keys/` of a data folder, those that have been retired too; none where there is no such folder. */
export function readKeyFiles(dataDir: string): KeyFile[] {
  const directory = join(dataDir, 'keys');
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => name.endsWith('.key'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    return [{ path: directory, error: messageOf(error) }];
  }
  return names.sort().map((name) => {
    const path = join(directory, name);
    try {
      return { path, key: decodeSigningKey(readFileSync(path, 'utf8')) };
    } catch (error) {
      return { path, error: messageOf(error) };
    }
  });
}

/** Their public halves, as the keys of this server. */
export function publicKeysOf(server: string, files: readonly KeyFile[]): PublicKey[] {
  return files.flatMap(({ key }) =>
    key === undefined ? [] : [{ server, keyId: key.keyId, key: encodeBase64(key.publicKey) }],
  );
}
