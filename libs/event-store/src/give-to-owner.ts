import { lchownSync, lstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** EINVAL: the owner is nobody whom the container knows. */
const REFUSED: ReadonlySet<string | undefined> = new Set(['EPERM', 'EINVAL']);

/**
 * Gives what this process has just made, where it is root's, to whose folder it is in: a server of that user has to use it. To be called
 * for all that is made within a data folder. Does nothing for what is not there, and never follows a link; nor where the root of a container
 * may give nothing away: then the server is that root's as well.
 */
export function giveToOwner(path: string): void {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = statSync(dirname(path));
  if (uid === 0 || lstatSync(path, { throwIfNoEntry: false })?.uid !== 0) return;
  try {
    lchownSync(path, uid, gid);
  } catch (error) {
    if (!REFUSED.has((error as NodeJS.ErrnoException).code)) throw error;
  }
}
