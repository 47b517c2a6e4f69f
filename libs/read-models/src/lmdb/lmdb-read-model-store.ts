import { statSync } from 'node:fs';
import { join } from 'node:path';
import { noteClosed } from '#event-store/lmdb/last-end';
import { encodeKey, encodeKeyToFind, encodeRange, type KeyRange } from '../key-encoding.js';
import type { Key, ReadModelStore, Row, ScanOptions, Write } from '../read-model-store.js';
import { mergeScan, pendingSource } from '../merge-scan.js';
import {
  collectionNames,
  DATA_FILE,
  openCollection,
  openEnvironment,
  type Environment,
  type Log,
  type Rows,
} from './open-environment.js';
import { PendingRows } from '../pending-rows.js';
import { scanStored, storedSource } from './stored-rows.js';

export interface LmdbReadModelOptions {
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
/** A single write reaches LMDB after at most this time, together with all that came meanwhile. */
const COMMIT_DELAY_MS = 50;
const RETRY_DELAY_MS = 1000;
/**
 * What one transaction takes at most, but for the last `write` call. PERF: handing over a row holds the event loop for about a
 * microsecond; smaller groups write the same pages more often.
 */
const COMMIT_ROWS = 6000;
const COMMIT_CHARACTERS = 8 * 1024 * 1024;

/**
 * Opens the views in a directory, which is created. Views that cannot be read are deleted and said so in the log: the caller
 * finds them empty and rebuilds. Throws where there is nothing to read (`readOnly`), or where the file system refuses.
 */
export function openLmdbReadModels(directory: string, options: LmdbReadModelOptions = {}): ReadModelStore {
  return new LmdbReadModels(openEnvironment(directory, options), directory, options);
}

/**
 * PERF: `write` only puts rows into memory, where readers see them; LMDB gets them in groups, in its own thread, at most some
 * 50 ms later. So a single fact costs microseconds, a row that changes often is stored once per group, and the disk is asked
 * to sync some 20 times a second at most (measured by `bench/replay.ts`). A group is one transaction and holds whole `write`
 * calls, so that what survives a crash is all that was written up to some call.
 */
class LmdbReadModels implements ReadModelStore {
  readonly #environment: Environment;
  readonly #opened: Map<string, Rows>;
  #pending = new PendingRows();
  /** The group that is on its way into LMDB, or that LMDB refused and that is tried again before any other. */
  #committing: PendingRows | undefined;
  /** Settles when the group under way is in LMDB or refused. Never rejects. */
  #underWay: Promise<void> | undefined;
  #failure: Error | undefined;
  /** Set once the file was found damaged: it does not mend. */
  #damage: Error | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The file that is open, whatever bears its name now. */
  readonly #file: number | undefined;
  readonly #looking: NodeJS.Timeout | undefined;
  #warning: string | undefined;
  #closed = false;

  constructor(
    environment: Environment,
    private readonly directory: string,
    { lookMs = LOOK_MS, log = console.warn }: LmdbReadModelOptions,
  ) {
    this.#environment = environment;
    this.#opened = environment.found;
    this.#file = inodeOf(directory);
    if (environment.readOnly) return;
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
    return this.#damage ?? this.#failure;
  }

  async get(collection: string, key: Key): Promise<string | undefined> {
    return this.#find(collection, encodeKeyToFind(key));
  }

  async getMany(collection: string, keys: readonly Key[]): Promise<(string | undefined)[]> {
    return keys.map((key) => this.#find(collection, encodeKeyToFind(key)));
  }

  async scan(collection: string, options: ScanOptions): Promise<Row[]> {
    const { reverse = false, limit } = options;
    const range = encodeRange(options);
    if (range.from >= range.to || limit <= 0) return [];
    return this.#read(() => this.#scan(collection, range, reverse, limit));
  }

  #scan(collection: string, range: KeyRange, reverse: boolean, limit: number): Row[] {
    const rows = this.#findCollection(collection);
    const pending = [
      pendingSource(this.#pending.collections.get(collection), range, reverse),
      pendingSource(this.#committing?.collections.get(collection), range, reverse),
    ].filter((source) => source !== undefined);
    if (pending.length === 0) return rows === undefined ? [] : scanStored(rows, range, reverse, limit);
    return mergeScan(rows === undefined ? pending : [...pending, storedSource(rows, range, reverse)], reverse, limit);
  }

  async write(writes: readonly Write[]): Promise<void> {
    this.#checkWritable();
    const keys = writes.map((write) => encodeKey(write.key));
    await this.#makeRoom();
    const pending = this.#pending;
    for (const [i, { collection, value }] of writes.entries()) pending.set(collection, keys[i]!, value);
    if (this.#underWay === undefined && isLarge(pending)) this.#commit();
    else if (this.#timer === undefined) this.#commitLater(COMMIT_DELAY_MS);
  }

  async drop(collection: string): Promise<void> {
    this.#checkWritable();
    this.#pending.collections.delete(collection);
    while (this.#underWay !== undefined || this.#committing !== undefined) await this.#settle();
    const rows = this.#opened.get(collection);
    this.#pending.collections.delete(collection);
    if (rows === undefined) return;
    const cleared = rows.clearAsync().catch(async (error: unknown) => {
      throw new Error(`${collection} cannot be dropped: ${await reasonOf(error)}`, { cause: error });
    });
    this.#underWay = cleared.then(ignore, ignore).finally(() => {
      this.#underWay = undefined;
    });
    await cleared;
  }

  async collections(): Promise<string[]> {
    const stored = this.#environment.readOnly ? collectionNames(this.#environment.root) : this.#opened.keys();
    const names = new Set([
      ...stored,
      ...this.#pending.collections.keys(),
      ...(this.#committing?.collections.keys() ?? []),
    ]);
    const filled: string[] = [];
    for (const name of names) if ((await this.scan(name, { limit: 1 })).length > 0) filled.push(name);
    return filled.sort();
  }

  async flush(): Promise<void> {
    if (this.#environment.readOnly) return;
    while (this.#pending.rows > 0 || this.#committing !== undefined || this.#underWay !== undefined)
      await this.#settle();
    await this.#environment.root.flushed;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.flush();
    } finally {
      this.#closed = true;
      clearTimeout(this.#timer);
      clearInterval(this.#looking);
      await this.#environment.root.close();
      if (!this.#environment.readOnly && this.#damage === undefined && this.#isThere()) noteClosed(this.directory);
    }
  }

  #isThere(): boolean {
    return inodeOf(this.directory) === this.#file;
  }

  #checkWritable(): void {
    if (this.#closed || this.#environment.readOnly) throw new Error('These views are not open for writing');
  }

  /** Holds a writer back while LMDB is a whole group behind. Throws when LMDB refuses. */
  async #makeRoom(): Promise<void> {
    while (isLarge(this.#pending)) await this.#settle();
  }

  /** Waits for the group under way, or brings the next under way and waits for that. Throws when LMDB refuses it. */
  async #settle(): Promise<void> {
    if (this.#underWay === undefined) this.#commit();
    await this.#underWay;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #commitLater(delay: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#underWay === undefined) this.#commit();
      else void this.#underWay.then(() => this.#commitLater(0));
    }, delay);
  }

  #commit(): void {
    if (this.#committing === undefined) {
      if (this.#pending.rows === 0) return;
      this.#committing = this.#pending;
      this.#pending = new PendingRows();
    }
    const group = this.#committing;
    this.#underWay = this.#store(group).then(
      () => {
        this.#failure = undefined;
        this.#committing = undefined;
        this.#underWay = undefined;
        if (isLarge(this.#pending)) this.#commit();
      },
      (error: unknown) => {
        this.#underWay = undefined;
        if (this.#timer === undefined && !this.#closed) this.#commitLater(RETRY_DELAY_MS);
        this.#failure = error as Error;
      },
    );
  }

  /** Hands a group to LMDB's thread, as one transaction. */
  async #store(group: PendingRows): Promise<void> {
    const opened = this.#openAll([...group.collections.keys()]);
    try {
      await this.#environment.root.batch(() => {
        for (const [name, pending] of group.collections) {
          const rows = opened.get(name)!;
          for (const [key, value] of pending.values) {
            if (value === null) void rows.remove(key);
            else void rows.put(key, value);
          }
        }
      });
    } catch (error) {
      throw new Error(`The views cannot be written: ${await reasonOf(error)}`, { cause: error });
    }
  }

  #openAll(names: readonly string[]): Map<string, Rows> {
    const { root } = this.#environment;
    const missing = names.filter((name) => !this.#opened.has(name));
    if (missing.length > 0) {
      const made = new Map<string, Rows>();
      root.transactionSync(() => {
        for (const name of missing) made.set(name, openCollection(root, name));
      });
      for (const [name, rows] of made) this.#opened.set(name, rows);
    }
    return this.#opened;
  }

  #find(collection: string, key: string): string | undefined {
    const waiting = this.#pending.get(collection, key);
    if (waiting !== undefined) return waiting ?? undefined;
    const underWay = this.#committing?.get(collection, key);
    if (underWay !== undefined) return underWay ?? undefined;
    return this.#read(() => this.#findCollection(collection)?.get(key));
  }

  /** Runs what reads the file; remembers where that is damaged, so that it is told and the next start looks through it. */
  #read<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof Error) || !DAMAGED.test(error.message)) throw error;
      this.#damage ??= new Error(`The views are damaged, and are rebuilt by the next start: ${error.message}`, {
        cause: error,
      });
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

function isLarge(pending: PendingRows): boolean {
  return pending.rows >= COMMIT_ROWS || pending.characters >= COMMIT_CHARACTERS;
}

function ignore(): void {}

/** Which file is the one of the views; undefined where there is none. */
function inodeOf(directory: string): number | undefined {
  return statSync(join(directory, DATA_FILE), { throwIfNoEntry: false })?.ino;
}

/** LMDB tells why a commit failed by a promise beside the error, which would end the process were nobody to catch it. */
async function reasonOf(error: unknown): Promise<string> {
  const { commitError, message } = error as Error & { commitError?: Promise<never> };
  return (await commitError?.catch((reason: Error) => reason.message)) ?? message;
}
