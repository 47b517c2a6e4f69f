import { statSync } from 'node:fs';
import { join } from 'node:path';
import { noteClosed } from '#event-store/lmdb/last-end';
import { encodeKeyToFind, encodeRange, type KeyRange } from '../key-encoding.js';
import { Outage, type OutageWatch } from '#kernel/outage';
import { ViewsUnavailable } from '../read-model-errors.js';
import type { Key, ReadModelStore, Row, RowsAtHand, ScanOptions, Write } from '../read-model-store.js';
import { mergeScan } from '../merge-scan.js';
import { GroupCommits, type Way } from './group-commits.js';
import {
  collectionNames,
  DATA_FILE,
  openCollection,
  openEnvironment,
  type Environment,
  type Log,
  type Rows,
} from './open-environment.js';
import { scanStored, storedSource } from './stored-rows.js';

/** Those who watch are told that the file takes nothing more or is damaged, and that it takes what is written again. */
export interface LmdbReadModelOptions extends OutageWatch {
  /** For a second process: sees what the writer has committed, a moment late. */
  readonly readOnly?: boolean;
  /** Told when views that cannot be used are thrown away, and when somebody else does that. */
  readonly log?: Log;
  /** How often it is asked whether the file is still there; five seconds by default. */
  readonly lookMs?: number;
  /** The program that looks through views that were not closed: tests give their own. */
  readonly damageProgram?: string;
}

/** What LMDB says of a file that is not as it was written: see lmdb.h. */
const DAMAGED = /^MDB_(?:PAGE_NOTFOUND|CORRUPTED|INVALID)/;
/** How often it is asked whether the file is still where it was. */
const LOOK_MS = 5000;
const DELETED =
  'The views were deleted while they are open: they go on without a file, and the next start rebuilds them';

/**
 * Opens the views in a directory, which is created. Views that cannot be read are deleted and said so in the log: the caller
 * finds them empty and rebuilds. Throws where there is nothing to read (`readOnly`), or where the file system refuses.
 */
export function openLmdbReadModels(directory: string, options: LmdbReadModelOptions = {}): ReadModelStore {
  return new LmdbReadModels(openEnvironment(directory, options), directory, options);
}

class LmdbReadModels implements ReadModelStore {
  readonly #environment: Environment;
  readonly #opened: Map<string, Rows>;
  /** Undefined where they are open for reading only. */
  readonly #commits: GroupCommits | undefined;
  readonly #outage: Outage<Way>;
  /** Set once the file was found damaged: it does not mend. */
  #damage: ViewsUnavailable | undefined;
  /** The file that is open, whatever bears its name now. */
  readonly #file: number | undefined;
  readonly #looking: NodeJS.Timeout | undefined;
  #warning: string | undefined;
  #closed = false;

  constructor(
    environment: Environment,
    private readonly directory: string,
    { lookMs = LOOK_MS, log = console.warn, ...watch }: LmdbReadModelOptions,
  ) {
    this.#outage = new Outage(watch);
    this.#environment = environment;
    this.#opened = environment.found;
    this.#file = inodeOf(directory);
    if (environment.readOnly) return;
    this.#commits = new GroupCommits(environment, this.#opened, this.#outage);
    this.#looking = setInterval(() => {
      if (this.#warning !== undefined || this.#isThere()) return;
      this.#warning = DELETED;
      log(DELETED);
    }, lookMs).unref();
  }

  get warning(): string | undefined {
    return this.#warning;
  }

  get failure(): Error | undefined {
    return this.#damage ?? this.#commits?.failure;
  }

  get isWriter(): boolean {
    return this.#commits !== undefined;
  }

  /** An embedded file has one process: the lock of the log sees to it. */
  async takeLease(): Promise<boolean> {
    return this.isWriter;
  }

  async get(collection: string, key: Key): Promise<string | undefined> {
    return this.#find(collection, encodeKeyToFind(key));
  }

  /** All of it is: what is not in memory is in a file that is mapped there. */
  readonly atHand: RowsAtHand = {
    get: (collection, key, encoded = encodeKeyToFind(key)) => this.#find(collection, encoded),
    scan: (collection, options) => this.#scan(collection, options),
  };

  async getMany(collection: string, keys: readonly Key[]): Promise<(string | undefined)[]> {
    return keys.map((key) => this.#find(collection, encodeKeyToFind(key)));
  }

  async scan(collection: string, options: ScanOptions): Promise<Row[]> {
    return this.#scan(collection, options);
  }

  #scan(collection: string, options: ScanOptions): Row[] {
    const { reverse = false, limit } = options;
    const range = encodeRange(options);
    if (range.from >= range.to || limit <= 0) return [];
    return this.#read(() => this.#scanRange(collection, range, reverse, limit));
  }

  #scanRange(collection: string, range: KeyRange, reverse: boolean, limit: number): Row[] {
    const rows = this.#findCollection(collection);
    const pending = this.#commits?.sources(collection, range, reverse) ?? [];
    if (pending.length === 0) return rows === undefined ? [] : scanStored(rows, range, reverse, limit);
    return mergeScan(rows === undefined ? pending : [...pending, storedSource(rows, range, reverse)], reverse, limit);
  }

  /** Whoever deletes the file leaves what is open as it is. */
  async confirm(): Promise<void> {}

  async write(writes: readonly Write[]): Promise<void> {
    await this.#writable.write(writes);
  }

  async drop(collection: string): Promise<void> {
    await this.#writable.drop(collection);
  }

  async collections(): Promise<string[]> {
    const stored = this.#environment.readOnly ? collectionNames(this.#environment.root) : this.#opened.keys();
    const names = new Set([...stored, ...(this.#commits?.names() ?? [])]);
    const filled: string[] = [];
    for (const name of names) if ((await this.scan(name, { limit: 1 })).length > 0) filled.push(name);
    return filled.sort();
  }

  async flush(): Promise<void> {
    if (this.#commits === undefined) return;
    await this.#commits.settled();
    await this.#environment.root.flushed;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.flush();
    } finally {
      this.#closed = true;
      this.#commits?.close();
      clearInterval(this.#looking);
      await this.#environment.root.close();
      if (!this.#environment.readOnly && this.#damage === undefined && this.#isThere()) noteClosed(this.directory);
    }
  }

  #isThere(): boolean {
    return inodeOf(this.directory) === this.#file;
  }

  get #writable(): GroupCommits {
    if (this.#closed || this.#commits === undefined) throw new Error('These views are not open for writing');
    return this.#commits;
  }

  #find(collection: string, key: string): string | undefined {
    const waiting = this.#commits?.get(collection, key);
    if (waiting !== undefined) return waiting ?? undefined;
    return this.#read(() => this.#findCollection(collection)?.get(key));
  }

  /** Runs what reads the file; remembers where that is damaged, so that it is told and the next start looks through it. */
  #read<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof Error) || !DAMAGED.test(error.message)) throw error;
      const reason = `are damaged, and are rebuilt by the next start: ${error.message}`;
      this.#damage ??= new ViewsUnavailable(`The views ${reason}`, { cause: error });
      this.#outage.noteLoss('read', `they ${reason}`);
      this.#environment.root.resetReadTxn();
      throw this.#damage;
    }
  }

  #findCollection(name: string): Rows | undefined {
    const known = this.#opened.get(name);
    if (known !== undefined || !this.#environment.readOnly) return known;
    const rows = openCollection(this.#environment.root, name) as Rows | undefined;
    if (rows !== undefined) this.#opened.set(name, rows);
    return rows;
  }
}

/** Which file is the one of the views; undefined where there is none. */
function inodeOf(directory: string): number | undefined {
  return statSync(join(directory, DATA_FILE), { throwIfNoEntry: false })?.ino;
}
