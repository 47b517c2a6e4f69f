import { constants } from 'node:os';
import { join } from 'node:path';
import { type Key, openAsClass, type RootDatabase, type RootDatabaseOptionsWithPath } from 'lmdb';
import { giveToOwner } from '../give-to-owner.js';
import { checkOpens } from './check-opens.js';
import { isOfLockFile } from './is-of-machine.js';

const { EINVAL, EAGAIN, EINTR } = constants.errno;
/** What they say who cannot use the locks in the lock file. */
const UNUSABLE: ReadonlySet<unknown> = new Set([EINVAL, EAGAIN, EINTR]);
/** So often a file is opened that others just open and close. */
const TRIES = 20;
const LONGEST_PAUSE_MS = 50;

/** Where LMDB is to open, or to make, a file. */
export type RootOptions = RootDatabaseOptionsWithPath & { readonly path: string };

/**
 * Opens the file of LMDB in a folder, or makes it. Throws NoRoom where the disk has none for it. Where that throws nothing is left open: `open` of lmdb leaves the environment where the file cannot be read,
 * and whoever opens it again is given that one.
 *
 * LMDB destroys the locks in its lock file as the last one closes it, though another just opens it: who does so then cannot use it until all
 * have closed it again. So it is closed, and opened once more a moment later. `onEnvironment`: told each time before the file is read, LMDB having opened it.
 */
export function openRoot<V, K extends Key>(options: RootOptions, onEnvironment = (): void => {}): RootDatabase<V, K> {
  checkOpens(options.path, options.readOnly === true);
  for (let tries = 1; ; tries++) {
    try {
      return openOnce(options, onEnvironment);
    } catch (error) {
      if (tries === TRIES || !hasMetOthers(error)) throw error;
    }
    // In one turn, as LMDB does it. Not all of them after the same time, or they would meet again.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1 + Math.random() * LONGEST_PAUSE_MS);
  }
}

function openOnce<V, K extends Key>(options: RootOptions, onEnvironment: () => void): RootDatabase<V, K> {
  // Its declaration says that it is no class. The first database of a folder is its root, which has no name.
  const Root = openAsClass<V, K>({ noSubdir: false, ...options }) as unknown as RootClass<V, K>;
  try {
    onEnvironment();
    const root = new Root(null, { isRoot: true, ...options });
    for (const name of ['data.mdb', 'lock.mdb']) giveToOwner(join(options.path, name));
    return root;
  } catch (error) {
    void Root.prototype.close.call({ isRoot: true });
    throw error;
  }
}

interface RootClass<V, K extends Key> {
  new (name: null, options: object): RootDatabase<V, K>;
  readonly prototype: { close(this: { readonly isRoot: true }): Promise<void> };
}

function hasMetOthers(error: unknown): boolean {
  return UNUSABLE.has((error as { code?: unknown }).code) || isOfLockFile(error);
}
