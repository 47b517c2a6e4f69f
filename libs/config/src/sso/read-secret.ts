import { readFileSync } from 'node:fs';
import { messageOf } from '#kernel/message-of';
import type { MappingReader } from '../yaml-mapping.js';

/** A secret that stands under a key, or in the file that `KEY_file` names; undefined where there is neither. */
export function readSecretOf(from: MappingReader, key: string, readFile = readSecretFile): string | undefined {
  const secret = from.findText(key, 'a secret');
  const path = from.findText(`${key}_file`, 'the path of a file');
  if (path === undefined) return secret;
  if (secret !== undefined) from.fault(`${key}_file`, `there is a ${key} too`);
  try {
    return readFile(path);
  } catch (error) {
    return from.fault(`${key}_file`, messageOf(error));
  }
}

function readSecretFile(path: string): string {
  return readFileSync(path, 'utf8').trim();
}
