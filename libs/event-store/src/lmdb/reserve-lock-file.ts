import { existsSync, linkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { giveToOwner } from '../give-to-owner.js';
import { draftBeside } from './draft-beside.js';
import { NoRoom, saysNoRoom } from './no-room.js';

const LOCK_FILE = 'lock.mdb';
/** More than LMDB makes of it for any number of readers that we ask for: 64 bytes for each, and what stands before them. */
const BYTES = 40 * 1024;

/**
 * Makes the file by which LMDB tells who reads, where there is none, so that all of it is on the disk. LMDB itself makes one of holes,
 * and a process that writes into a hole for which there is no room is ended by SIGBUS, without a word. Throws NoRoom where there is none.
 */
export function reserveLockFile(directory: string): void {
  const file = join(directory, LOCK_FILE);
  if (existsSync(file)) return;
  const own = draftBeside(file);
  try {
    writeFileSync(own, Buffer.alloc(BYTES), { mode: 0o664 });
    giveToOwner(own);
    // Whole or not at all: another process may open it as soon as it is there.
    linkSync(own, file);
  } catch (error) {
    if (saysNoRoom(error)) throw new NoRoom(file, error, { cause: error });
    // Another process has made it, or nothing can be made here, or no link: LMDB will see.
  } finally {
    rmSync(own, { force: true });
  }
}
