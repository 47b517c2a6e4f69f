import { statSync } from 'node:fs';

/** Under the name of a file of LMDB is something else: a folder, for example. One line. */
export class NotAFile extends Error {
  constructor(path: string) {
    super(`${path} is no file`);
    this.name = 'NotAFile';
  }
}

/** Throws NotAFile where something is there that is none, and what the system says where it cannot be looked at. */
export function checkIsFile(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) throw new NotAFile(path);
}
