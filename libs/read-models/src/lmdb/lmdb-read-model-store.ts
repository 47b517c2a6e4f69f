import { mkdirSync } from 'node:fs';
import type { CommitHoldsOptions } from '#event-store/lmdb/commit-holds';
import { noteClosed } from '#event-store/lmdb/last-end';
import { openBesideWriter } from '#event-store/lmdb/open-beside-writer';
import { takeWriterLock, type WriterLock } from '#event-store/lmdb/writer-lock';
import { encodeKeyToFind, encodeRange, type KeyRange } from '../key-encoding.js';
import { Outage, type OutageWatch } from '#kernel/outage';
import { SharedRuns } from '#kernel/shared-runs';
import { ViewsNotRenewed, ViewsUnavailable } from '../read-model-errors.js';
import type { Key, ReadModelStore, Renewal, Row, RowsAtHand, ScanOptions, Write } from '../read-model-store.js';
import { mergeScan } from '../merge-scan.js';
import type { CopierOptions } from './copy-views.js';
import { GroupCommits, type Way } from './group-commits.js';
import {
  collectionNames,
  type Current,
  type Environment,
  inodeIn,
  type Log,
  openCollection,
  openToRead,
  openToWrite,
  type Rows,
} from './open-environment.js';
import { renewViews } from './renew-views.js';
import { scanStored, storedSource } from './stored-rows.js';

/** Those who watch are told that the file takes nothing more or is damaged, and that it takes what is written again. */
export interface LmdbReadModelOptions extends OutageWatch, CommitHoldsOptions {
  /** For a second process: sees what the writer has committed, a moment late. */
  readonly readOnly?: boolean;
  /** Told when views that cannot be used are thrown away, and when somebody else does that. */
  readonly log?: Log;
  /** How often it is asked whether the file is still there; five seconds by default. */
  readonly lookMs?: number;
  /** The program that looks through views that were not closed: tests give their own. */
  readonly damageProgram?: string;
  /** The program that copies views that are renewed: tests give their own. */
  readonly copyProgram?: string;
  /** How often it is asked whether that gets any further; half a minute by default. */
  readonly copyLookMs?: number;
}

/** What LMDB says of a file that is not as it was written: see lmdb.h. */
const DAMAGED = /^MDB_(?:PAGE_NOTFOUND|CORRUPTED|INVALID)/;
/** How often it is asked whether the file is still where it was. */
const LOOK_MS = 5000;
const DELETED =
  'The views were deleted while they are open: they go on without a file, and the next start rebuilds them';

/**
 * Opens the views in a directory, which is created. One process may write, others may read beside it (`readOnly`). Views that cannot be read
 * are deleted and said so in the log: the caller finds them empty and rebuilds. Throws where there is nothing to read (`readOnly`), where
 * another process writes there or does not let them be opened, or where the file system refuses.
 */
export async function openLmdbReadModels(
  directory: string,
  options: LmdbReadModelOptions = {},
): Promise<ReadModelStore> {
  if (options.readOnly) {
    const environment = await openBesideWriter(directory, {
      open: () => openToRead(directory),
      close: ({ root }) => root.close(),
    });
    return new LmdbReadModels(environment, directory, undefined, options);
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = await takeWriterLock(directory, options);
  try {
    return new LmdbReadModels(openToWrite(directory, options), directory, lock, options);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

class LmdbReadModels implements ReadModelStore {
  readonly #current: Current;
  /** Undefined where they are open for reading only. */
  readonly #commits: GroupCommits | undefined;
  readonly #outage: Outage<Way>;
  /** Set once the file was found damaged: it does not mend. */
  #damage: ViewsUnavailable | undefined;
  readonly #looking: NodeJS.Timeout | undefined;
  readonly #renewals: SharedRuns<Renewal>;
  /** Settles with the renewal under way; never rejects. */
  #renewing: Promise<unknown> = Promise.resolve();
  #renewed: Renewal | undefined;
  readonly #closing = new AbortController();
  #warning: string | undefined;
  #closed = false;

  constructor(
    environment: Environment,
    private readonly directory: string,
    /** Undefined where they are open for reading only. */
    private readonly lock: WriterLock | undefined,
    { lookMs = LOOK_MS, log = console.warn, copyProgram, copyLookMs, ...watch }: LmdbReadModelOptions,
  ) {
    this.#outage = new Outage(watch);
    this.#current = { environment };
    this.#renewals = new SharedRuns(() => this.#renew({ program: copyProgram, lookMs: copyLookMs }));
    if (lock === undefined) return;
    const commits = new GroupCommits(this.#current, this.#outage);
    this.#commits = commits;
    lock.serve((run) => commits.aside(run));
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

  /** An embedded file has one process: its lock sees to it. */
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
    const { readOnly, root, collections } = this.#current.environment;
    const stored = readOnly ? collectionNames(root) : collections.keys();
    const names = new Set([...stored, ...(this.#commits?.names() ?? [])]);
    const filled: string[] = [];
    for (const name of names) if ((await this.scan(name, { limit: 1 })).length > 0) filled.push(name);
    return filled.sort();
  }

  async flush(): Promise<void> {
    if (this.#commits === undefined) return;
    await this.#commits.settledSoFar();
    await this.#current.environment.root.flushed;
  }

  get renewed(): Renewal | undefined {
    return this.#renewed;
  }

  /** As `ReadModelStore.renew`: what was deleted before the call is in nothing that is copied after it. */
  async renew(): Promise<Renewal> {
    void this.#writable;
    return this.#renewals.run();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closing.abort(new ViewsNotRenewed('they are being closed'));
    this.lock?.refuse();
    await this.#renewing;
    try {
      await this.#commits?.settled();
      await this.flush();
    } finally {
      this.#closed = true;
      this.#commits?.close();
      clearInterval(this.#looking);
      const { folder, readOnly, root } = this.#current.environment;
      await root.close();
      if (!readOnly && this.#damage === undefined && this.#isThere()) noteClosed(folder);
      await this.lock?.release();
    }
  }

  async #renew(copier: CopierOptions): Promise<Renewal> {
    const commits = this.#writable;
    if (this.#damage !== undefined) throw new ViewsNotRenewed(this.#damage.message);
    if (!this.#isThere()) throw new ViewsNotRenewed('their file was deleted');
    const parts = { directory: this.directory, current: this.#current, commits, copier };
    const renewal = renewViews(parts, this.#closing.signal);
    this.#renewing = renewal.catch(() => {});
    return (this.#renewed = await renewal);
  }

  #isThere(): boolean {
    const { folder, inode } = this.#current.environment;
    return inodeIn(folder) === inode;
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
      this.#current.environment.root.resetReadTxn();
      throw this.#damage;
    }
  }

  #findCollection(name: string): Rows | undefined {
    const { readOnly, root, collections } = this.#current.environment;
    const known = collections.get(name);
    if (known !== undefined || !readOnly) return known;
    const rows = openCollection(root, name) as Rows | undefined;
    if (rows !== undefined) collections.set(name, rows);
    return rows;
  }
}
