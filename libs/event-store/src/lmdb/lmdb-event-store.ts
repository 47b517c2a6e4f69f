import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import type { RootDatabase } from 'lmdb';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { OutageWatch } from '#kernel/outage';
import type { Position } from '#kernel/position';
import type {
  Appended,
  Distance,
  EventStore,
  ExpectedRevision,
  NewFact,
  ReadStreamOptions,
  RecordedFact,
} from '../event-store.js';
import { LogDamaged } from '../event-store-errors.js';
import { positionNumber, positionOf } from './counted-position.js';
import { findWhyUnfit } from './check-data-file.js';
import type { CommitHoldsOptions } from './commit-holds.js';
import { findDamage } from './find-damage.js';
import { GroupCommits } from './group-commits.js';
import { noteClosed, noteOpened } from './last-end.js';
import { type DurableBatch, LiveTail } from './live-tail.js';
import { orDamaged } from './log-damage.js';
import { MAX_REVISION } from './log-keys.js';
import { LogTables } from './log-tables.js';
import { openBesideWriter } from './open-beside-writer.js';
import { openRoot } from './open-root.js';
import { takeWriterLock, type WriterLock } from './writer-lock.js';

/** Those who watch are told that the disk takes nothing more, and that it does again. */
export interface LmdbEventStoreOptions extends OutageWatch, CommitHoldsOptions {
  /** For a second process: reads what another writes; `subscribe` polls. */
  readonly readOnly?: boolean;
  /** Told once, when something is found damaged while the log is open. */
  readonly onDamage?: (damage: LogDamaged) => void;
  /** The program that looks through a log that was not closed: tests give their own. */
  readonly damageProgram?: string;
}

/** How many facts one reading from disk brings at most before the event loop has its turn. */
const READ_FACTS = 250;
/** Read at once by who follows the log. PERF: what comes with a batch costs a replay of messages a twentieth less than with half of it. */
const FOLLOWED_FACTS = 128;
const READ_STREAM_FACTS = 200;
const POLL_MS = 50;

/**
 * Opens the log in a directory, which is created. One process may write, any number may read beside it (`readOnly`).
 * Throws when another process writes there, or when there is no log to read; LogDamaged where it is not as it was written,
 * LogOfAnotherVersion, and CommitsNotHeld where it is to be read and the process that writes it does not let it be opened.
 */
export async function openLmdbEventStore(directory: string, options: LmdbEventStoreOptions = {}): Promise<EventStore> {
  if (options.readOnly) {
    if (!existsSync(join(directory, 'data.mdb'))) throw new Error(`There is no log in ${directory}`);
    checkFile(directory);
    const tables = await openBesideWriter(directory, {
      open: () => openTables(directory, options),
      close: (opened) => opened.close(),
    });
    return new LmdbEventStore(tables, directory, undefined);
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = await takeWriterLock(directory, options);
  try {
    checkFile(directory);
    const damage = findDamage(directory, 'log', noteOpened(directory), options.damageProgram);
    if (damage !== undefined) throw new LogDamaged(damage);
    return new LmdbEventStore(await openTables(directory, options), directory, lock, options);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function checkFile(directory: string): void {
  const file = join(directory, 'data.mdb');
  const reason = existsSync(file) ? findWhyUnfit(file) : undefined;
  if (reason !== undefined) throw new LogDamaged(reason);
}

async function openTables(
  directory: string,
  { readOnly: isReadOnly = false, onDamage }: LmdbEventStoreOptions,
): Promise<LogTables> {
  const file = join(directory, 'data.mdb');
  const root = orDamaged(() => openFile(directory, isReadOnly));
  let tables: LogTables | undefined;
  try {
    tables = orDamaged(() => new LogTables(root, { file, isReadOnly, onDamage }));
    tables.checkVersion();
    return tables;
  } catch (error) {
    await (tables ?? root).close();
    throw error;
  }
}

function openFile(directory: string, readOnly: boolean): RootDatabase {
  return openRoot({
    path: directory,
    readOnly,
    // So that a commit becomes visible, and its promise settles, only when it is on disk.
    overlappingSync: false,
    // We gather what shares a commit ourselves; lmdb's own way leaves a promise that nobody can take when a commit fails.
    eventTurnBatching: false,
    maxDbs: 8,
    maxReaders: 512,
  });
}

class LmdbEventStore implements EventStore {
  readonly #tables: LogTables;
  readonly #lock: WriterLock | undefined;
  /** Undefined where it is open for reading only. */
  readonly #commits: GroupCommits | undefined;
  readonly #tails = new Set<LiveTail>();
  #closed = false;

  constructor(
    tables: LogTables,
    private readonly directory: string,
    lock: WriterLock | undefined,
    { onLost, onBack }: OutageWatch = {},
  ) {
    this.#tables = tables;
    this.#lock = lock;
    const onDurable = (batch: DurableBatch): void => {
      for (const tail of this.#tails) tail.push(batch);
    };
    const onRewritten = (): void => {
      for (const tail of this.#tails) tail.forget();
    };
    if (lock === undefined) return;
    const commits = new GroupCommits(tables, { onDurable, onRewritten, onLost, onBack });
    this.#commits = commits;
    lock.serve((run) => commits.alone(run));
  }

  get damage(): LogDamaged | undefined {
    return this.#tables.damage;
  }

  get caches(): Readonly<Record<string, CacheNumbers>> {
    const names = { 'stream-names': this.#tables.names };
    return this.#commits === undefined ? names : { ...names, 'stream-heads': this.#commits.heads };
  }

  async append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    return this.#writer().append(stream, expected, facts);
  }

  async erase(stream: string, revision: number, tail: string): Promise<void> {
    await this.#writer().erase(stream, revision, tail);
  }

  async truncate(stream: string, before: number): Promise<void> {
    await this.#writer().truncate(stream, before);
  }

  #writer(): GroupCommits {
    this.#checkOpen();
    if (this.#commits === undefined) throw new Error('The event store was opened for reading only');
    return this.#commits;
  }

  /** The last durable position; a reader in another process looks it up. */
  #end(): number {
    this.#checkOpen();
    if (this.#commits !== undefined) return this.#commits.position;
    this.#tables.refresh();
    return this.#tables.lastPosition();
  }

  async head(): Promise<Position> {
    return positionOf(this.#end());
  }

  async findLast(): Promise<RecordedFact | undefined> {
    const end = this.#end();
    return end === 0 ? undefined : this.#tables.readPositions(end - 1, end, 1).facts[0];
  }

  distance(after: Position, upTo: Position): Distance {
    return { amount: Math.max(0, positionNumber(upTo) - positionNumber(after)), unit: 'facts' };
  }

  async *readStream(stream: string, options: ReadStreamOptions = {}): AsyncIterable<RecordedFact> {
    this.#end();
    const number = this.#tables.findStream(stream);
    if (number === undefined) return;
    const { backwards = false, limit = Infinity } = options;
    let left = limit;
    let from = options.from ?? (backwards ? MAX_REVISION : 0);
    while (left > 0 && from >= 0) {
      const facts = this.#tables.readRevisions(number, from, backwards, Math.min(left, READ_STREAM_FACTS));
      yield* facts;
      const last = facts.at(-1);
      if (last === undefined) return;
      left -= facts.length;
      from = last.revision + (backwards ? -1 : 1);
      // Fewer than asked for need not be the end: facts may be large.
      if (left > 0) await nextTurn();
      this.#checkOpen();
    }
  }

  async *readAll(options: { after: Position; batchSize?: number }): AsyncIterable<readonly RecordedFact[]> {
    const end = this.#end();
    let after = positionNumber(options.after);
    while (after < end) {
      this.#checkOpen();
      const { facts, last } = this.#tables.readPositions(after, end, options.batchSize ?? READ_FACTS);
      after = last;
      if (facts.length > 0) yield facts;
      await nextTurn();
    }
  }

  async *subscribe(options: { after: Position; signal: AbortSignal }): AsyncIterable<readonly RecordedFact[]> {
    this.#checkOpen();
    const { signal } = options;
    const tail = new LiveTail();
    const wake = () => tail.wake();
    let after = positionNumber(options.after);
    this.#tails.add(tail);
    signal.addEventListener('abort', wake);
    try {
      while (!signal.aborted && !this.#closed) {
        const live = tail.take(after);
        const next = live === undefined ? this.#readNext(after) : { facts: live, last: endOf(live) };
        if (next !== undefined) {
          after = next.last;
          if (next.facts.length > 0) yield next.facts;
          if (live === undefined) await nextTurn();
        } else if (this.#commits === undefined) {
          await Promise.race([tail.changed(), delay(POLL_MS)]);
        } else {
          await tail.changed();
        }
      }
    } finally {
      signal.removeEventListener('abort', wake);
      this.#tails.delete(tail);
    }
  }

  #readNext(after: number): ReturnType<LogTables['readPositions']> | undefined {
    const end = this.#end();
    return after < end ? this.#tables.readPositions(after, end, FOLLOWED_FACTS) : undefined;
  }

  async *streams(options: { prefix?: string } = {}): AsyncIterable<string> {
    const { prefix = '' } = options;
    let last: string | undefined;
    do {
      this.#end();
      const names = this.#tables.listNames(prefix, last, READ_FACTS);
      for (const name of names) {
        if (!name.startsWith(prefix)) return;
        yield name;
      }
      last = names.at(-1);
      await nextTurn();
    } while (last !== undefined);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#lock?.refuse();
    await this.#commits?.close();
    for (const tail of this.#tails) tail.wake();
    // While it is open: then it is known whether the file in the folder is still the one that was.
    const { damage } = this;
    await this.#tables.close();
    if (this.#lock !== undefined && damage === undefined) noteClosed(this.directory);
    await this.#lock?.release();
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error('The event store is closed');
  }
}

function endOf(facts: readonly RecordedFact[]): number {
  return positionNumber(facts.at(-1)!.position);
}
