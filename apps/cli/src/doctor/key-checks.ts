import { statSync } from 'node:fs';
import type { KeyFile } from '../verify/own-keys.js';
import { type Check, fail, ok, warn } from './check.js';

const NAME = 'signing key';

/** `isNew`: whether the log is empty, so that nothing has been signed yet. */
export function checkSigningKeys(files: readonly KeyFile[], isNew: boolean): Check[] {
  if (files.length === 0 && isNew) return [ok(NAME, 'none yet: the first start makes it')];
  if (files.length === 0) {
    return [
      fail(NAME, 'there is none', 'restore keys/ from a backup: without it the rooms of this server cannot go on'),
    ];
  }
  return files.map((file) => {
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
    return ok(NAME, `${path}, ${file.key.keyId}`);
  });
}
