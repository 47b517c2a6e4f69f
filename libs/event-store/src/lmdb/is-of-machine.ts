import { NoRoom } from './no-room.js';
import { NotAFile } from './not-a-file.js';

/**
 * What LMDB says, by its own numbers (see lmdb.h), of this process and of others: READERS_FULL (too many read at once), TLS_FULL, MAP_FULL,
 * MAP_RESIZED, BAD_RSLOT, LOCK_FAILURE, and PANIC, which it says of anything after the system has refused a write.
 */
const OF_PROCESSES: ReadonlySet<number> = new Set([-30790, -30789, -30792, -30785, -30783, -30775, -30795]);

/**
 * Whether an error says something about this process or the machine, and not about the data file of LMDB. LMDB gives those of the system by their
 * numbers, Node by their names. EIO is what a disk says that cannot read the file; but LMDB says it where a disk took only a part of a write, for it is full.
 */
export function isOfMachine(error: unknown): boolean {
  if (error instanceof NoRoom || error instanceof NotAFile) return true;
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  if (typeof code === 'number') return code > 0 || OF_PROCESSES.has(code) || isOfLockFile(error);
  return typeof syscall === 'string' && code !== 'EIO';
}

/** Whether LMDB says of its lock file that it is none: one that somebody just makes, or that another version of it has open. It tells by words alone which file it means. */
export function isOfLockFile(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return typeof code === 'number' && code < 0 && /: Attempting to setup locks/.test(String(message));
}
