import { accessSync, closeSync, constants, lstatSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { draftBeside, removeLeft } from './draft-beside.js';
import { NoRoom, saysNoRoom } from './no-room.js';
import { checkIsFile } from './not-a-file.js';
import { reserveLockFile } from './reserve-lock-file.js';

/** More than LMDB opens of a file and its lock file. */
const DESCRIPTORS = 6;
/** What a log, or views, have at least once they were written to. */
const BEGINNING_BYTES = 1024 * 1024;

/**
 * Asks the system for what LMDB asks it for as it opens a file: where that is refused, lmdb frees twice what it has made for it, and the process
 * may end by that without a word. Throws what the system says, NotAFile where something else has the name of a file, and NoRoom where a new file would have none.
 */
export function checkOpens(directory: string, isReadOnly: boolean): void {
  const file = join(directory, 'data.mdb');
  const lockFile = join(directory, 'lock.mdb');
  if (!isReadOnly) removeLeft(directory);
  reserveLockFile(directory);
  for (const path of [file, lockFile]) checkIsFile(path);
  const isNew = (statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0;
  if (!isReadOnly) {
    // Who only reads needs none. Nothing may be closed here: with that this process would let go of all that it has locked of it.
    accessSync(lockFile, constants.R_OK | constants.W_OK);
    if (isNew) return checkRoom(file);
  } else if (lstatSync(lockFile, { throwIfNoEntry: false }) !== undefined) {
    // But where it is a link, it leads somewhere.
    accessSync(lockFile);
  }
  const descriptors: number[] = [];
  try {
    while (descriptors.length < DESCRIPTORS) descriptors.push(openSync(file, isReadOnly ? 'r' : 'r+'));
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}

function checkRoom(file: string): void {
  const own = draftBeside(file);
  try {
    writeFileSync(own, Buffer.alloc(BEGINNING_BYTES), { mode: 0o600 });
  } catch (error) {
    throw saysNoRoom(error) ? new NoRoom(file, error, { cause: error }) : error;
  } finally {
    rmSync(own, { force: true });
  }
}
