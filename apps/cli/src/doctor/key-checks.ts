import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { SIGNING_KEY_FILE } from '#homeserver/signing-key-file';
import { isKnownKey, type LogIdentity, type NamedKey } from '#event-store/log-identity';
import { encodeBase64 } from '#protocol/signing/base64';
import type { SigningKey } from '#protocol/signing/signing-key';
import type { KeyFile } from '../verify/own-keys.js';
import { type Check, fail, ok, warn } from './check.js';

const NAME = 'signing key';

/**
 * `isNew`: whether the log is empty, so that nothing has been signed yet. `identity`: the keys that the log names, where it names
 * any.
 */
export function checkSigningKeys(
  files: readonly KeyFile[],
  isNew: boolean,
  identity?: Pick<LogIdentity, 'keys' | 'namesKey'>,
): Check[] {
  if (files.length === 0 && isNew) return [ok(NAME, 'none yet: the first start makes it')];
  if (files.length === 0) {
    return [
      fail(NAME, 'there is none', 'restore keys/ from a backup: without it the rooms of this server cannot go on'),
    ];
  }
  return [...files.map((file) => checkFile(file, identity?.keys ?? [])), ...checkNamesKey(files, identity?.namesKey)];
}

/** The server does not start without it. */
function checkNamesKey(files: readonly KeyFile[], wanted: NamedKey | undefined): Check[] {
  if (wanted === undefined || files.some(({ key }) => key !== undefined && isSame(key, wanted))) return [];
  const what = `${wanted.key_id} is missing, by which the log names mail addresses, phone numbers and accounts elsewhere`;
  return [fail(NAME, what, 'restore keys/ from a backup, or go on with other names: annals keys accept')];
}

function checkFile(file: KeyFile, named: readonly NamedKey[]): Check {
  const { path } = file;
  if (file.error !== undefined) return fail(NAME, `${path}: ${file.error}`, 'restore it from a backup');
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0) {
    return warn(
      NAME,
      `${path} can be read by other users of this machine (mode ${mode.toString(8)})`,
      `chmod 600 ${path}`,
    );
  }
  const key = { key_id: file.key.keyId, public_key: encodeBase64(file.key.publicKey) };
  // What it no longer signs with it may have brought along from elsewhere.
  if (named.length > 0 && basename(path) === SIGNING_KEY_FILE && !isKnownKey({ keys: named }, key)) {
    const advice = 'restore the right one from a backup, or go on with this one: annals keys accept';
    return fail(NAME, `${path}, ${key.key_id}, which the log does not know`, advice);
  }
  return ok(NAME, `${path}, ${key.key_id}`);
}

const isSame = ({ keyId, publicKey }: SigningKey, { key_id: id, public_key: named }: NamedKey): boolean =>
  keyId === id && encodeBase64(publicKey) === named;
