import { existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkDataFile } from '#event-store/lmdb/check-data-file';
import { findDamage } from '#event-store/lmdb/find-damage';
import { noteOpened } from '#event-store/lmdb/last-end';
import { isOfMachine } from '#event-store/lmdb/is-of-machine';
import { openRoot } from '#event-store/lmdb/open-root';
import type { Database, RootDatabase } from 'lmdb';
import { currentFolder, DATA_FILE, listLeftovers, LOCK_FILE } from './views-folders.js';

export type Log = (message: string) => void;
export type Rows = Database<string, string>;

/** Far above the catalogue's collections in two generations. */
const MAX_COLLECTIONS = 1000;
/** Says whose file it is and in which shape. A change of the shape means another number, and so a rebuild. */
export const FORMAT_KEY = '\u0001format\0';
const FORMAT = 'annals read models 1';

/** Byte strings go to LMDB and back as they are. (`clearAsync` comes with an empty buffer for a key.) */
const byteStringKeys = {
  writeKey(key: unknown, target: Buffer, start: number): number {
    return typeof key === 'string' ? start + target.write(key, start, 'latin1') : start;
  },
  readKey(source: Buffer, start: number, end: number): string {
    return source.toString('latin1', start, end);
  },
};

const ENCODING = { keyEncoder: byteStringKeys, encoding: 'string' } as const;

export interface EnvironmentOptions {
  readonly log?: Log;
  readonly damageProgram?: string;
}

export interface Environment {
  /** The folder that its file is in. */
  readonly folder: string;
  /** Which file it is, whatever bears its name now. */
  readonly inode: number | undefined;
  /** The unnamed database, which holds the names of all others. */
  readonly root: RootDatabase<string, string>;
  readonly readOnly: boolean;
  /** The collections that are open: all that were found in the file, or for a reader those that it asked for; those that are made come to them. */
  readonly collections: Map<string, Rows>;
}

/** What is open now: where the views are renewed, another file takes its place. */
export interface Current {
  environment: Environment;
}

/**
 * Opens the file of the views, or makes it. What cannot be read or is not ours is deleted, said so, and made anew: views can
 * always be rebuilt from the log. Throws where too many others read it, and what the system refuses. To be called by who has the right to write.
 */
export function openToWrite(directory: string, { log = console.warn, damageProgram }: EnvironmentOptions): Environment {
  for (const path of listLeftovers(directory)) rmSync(path, { recursive: true, force: true });
  const folder = currentFolder(directory);
  try {
    if (existsSync(join(folder, DATA_FILE))) checkDataFile(join(folder, DATA_FILE));
    const damage = findDamage(folder, 'views', noteOpened(folder), damageProgram);
    if (damage !== undefined) throw new Error(damage);
    return openFile(folder, 'to write');
  } catch (error) {
    if (!(error instanceof Error) || isOfMachine(error)) throw error;
    log(`The views in ${directory} cannot be used and will be rebuilt from the log: ${error.message}`);
    for (const file of [DATA_FILE, LOCK_FILE]) rmSync(join(folder, file), { force: true });
    return openFile(folder, 'to write');
  }
}

/** Opens the file of the views that there are now, while nobody writes: it deletes nothing and throws where that cannot be read. */
export function openToRead(directory: string): Environment {
  return openFile(currentFolder(directory), 'to read');
}

/** `to fill`: nothing that is written is brought to the disk; whoever fills the file does that. */
export type Opening = 'to read' | 'to write' | 'to fill';

/**
 * With `overlappingSync` a commit is visible at once and reaches the disk a moment later, in another thread; pages that the
 * last state on disk needs are not reused before. After a SIGKILL the file holds the last commit; after a crash of the whole
 * machine it goes back to the last commit that was on disk. It is never torn.
 */
export function openFile(folder: string, opening: Opening): Environment {
  const readOnly = opening === 'to read';
  const file = join(folder, DATA_FILE);
  if (existsSync(file)) checkDataFile(file);
  else if (readOnly) throw new Error(`There are no views at ${file}`);
  const root = withoutExitListeners(() =>
    openRoot<string, string>({
      path: folder,
      ...ENCODING,
      readOnly,
      maxDbs: MAX_COLLECTIONS,
      overlappingSync: opening === 'to write',
      noSync: opening === 'to fill',
      // Else LMDB's thread waits for the end of this turn, and a process that exits within it never ends.
      eventTurnBatching: false,
    }),
  );
  try {
    checkFormat(root, readOnly);
    return {
      folder,
      inode: inodeIn(folder),
      root,
      readOnly,
      collections: readOnly ? new Map() : openCollections(root),
    };
  } catch (error) {
    void root.close();
    throw error;
  }
}

/** What LMDB would do at exit, closing the file under its own thread, ends in a segmentation fault and is not needed. */
function withoutExitListeners<T>(open: () => T): T {
  const listeners = new Set(process.listeners('exit'));
  try {
    return open();
  } finally {
    for (const listener of process.listeners('exit')) if (!listeners.has(listener)) process.off('exit', listener);
  }
}

function checkFormat(root: RootDatabase<string, string>, readOnly: boolean): void {
  const format = root.get(FORMAT_KEY);
  if (format === FORMAT) return;
  const isNew = format === undefined && isEmpty(root);
  if (!isNew || readOnly) throw new Error(`its format is ${format ?? 'unknown'}, not "${FORMAT}"`);
  root.putSync(FORMAT_KEY, FORMAT);
}

/** Opens all collections in one transaction; those a `drop` has left empty go for good, before anyone could read them. */
function openCollections(root: RootDatabase<string, string>): Map<string, Rows> {
  const found = new Map<string, Rows>();
  root.transactionSync(() => {
    for (const name of collectionNames(root)) {
      const rows = openCollection(root, name);
      if (!isEmpty(rows)) found.set(name, rows);
      else rows.dropSync();
    }
  });
  return found;
}

/** The names of the databases in the file. LMDB keeps them as rows of the root, closed by a zero byte. */
export function collectionNames(root: RootDatabase<string, string>): string[] {
  const names: string[] = [];
  for (const key of root.getKeys({ start: '\0' })) if (key !== FORMAT_KEY) names.push(key.slice(0, -1));
  return names;
}

/** Which file of views a folder has; undefined where there is none. */
export function inodeIn(folder: string): number | undefined {
  return statSync(join(folder, DATA_FILE), { throwIfNoEntry: false })?.ino;
}

/** Opens a collection, making it unless the file is open for reading only: then undefined where there is none. */
export function openCollection(root: RootDatabase<string, string>, name: string): Rows {
  return root.openDB<string, string>({ name, ...ENCODING });
}

/** Whether a collection holds no row. */
function isEmpty(rows: Rows): boolean {
  return [...rows.getKeys({ start: '\0', limit: 1 })].length === 0;
}
