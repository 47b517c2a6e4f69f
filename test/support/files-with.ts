import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * All files of a folder, by their paths, as they are at one time: where one has gone between the list and the look, as while a server puts
 * another copy of its views in place, it is listed again, for what it held may stand in one that was not there.
 */
export function readFiles(folder: string): Map<string, Buffer> {
  for (;;) {
    try {
      const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      const paths = files.map(({ parentPath, name }) => join(parentPath, name));
      return new Map(paths.map((path) => [path, readFileSync(path)]));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

/** Which files of a folder hold a word, byte by byte, also where no file system would look for it. */
export function filesWith(folder: string, word: string): string[] {
  return [...readFiles(folder)].filter(([, bytes]) => bytes.includes(word)).map(([path]) => path);
}
