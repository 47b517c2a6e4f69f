import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Which files of a folder hold a word, byte by byte, also where no file system would look for it. */
export function filesWith(folder: string, word: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => readFileSync(path).includes(word));
}
