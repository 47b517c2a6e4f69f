import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { open, type RootDatabase } from 'lmdb';
import { LruCache } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import {
  RevisionConflict,
  type Appended,
  type Distance,
  type EventStore,
  type ExpectedRevision,
  type NewFact,
  type ReadStreamOptions,
  type RecordedFact,
} from '../event-store.js';
import { EventStoreUnavailable, LogDamaged } from '../event-store-errors.js';
import { LOG_RESTORED, SERVER_STREAM } from '../log-identity.js';
import { LIFE, positionAfterRestore, positionNumber, positionOf } from './counted-position.js';
import { findWhyUnfit } from './check-data-file.js';
import { encodeFact, placeFact } from './fact-record.js';
import { findDamage } from './find-damage.js';
import { noteClosed, noteOpened } from './last-end.js';
import { LiveTail } from './live-tail.js';
import { checkStreamName, LogTables, MAX_REVISION, orDamaged, type Head } from './log-tables.js';
import { takeWriterLock, type WriterLock } from './writer-lock.js';

export interface LmdbEventStoreOptions {
  /** For a second process: reads what another writes; `subscribe` polls. */
  readonly readOnly?: boolean;
  /** Told once, when something is found damaged while the log is open. */
  readonly onDamage?: (damage: LogDamaged) => void;
  /** The program that looks through a log that was not closed: tests give their own. */
  readonly damageProgram?: string;
  /** The disk takes nothing more; `onBack` tells that it does again. */
  readonly onLost?: (reason: string) => void;
  readonly onBack?: (lostMs: number) => void;
}

/** How many facts one reading from disk brings at most before the event loop has its turn. */
const READ_FACTS = 1000;
const READ_STREAM_FACTS = 200;
/** What one commit takes along at most, so that no transaction holds the event loop for long. */
const COMMIT_FACTS = 2000;
const COMMIT_CHARACTERS = 32 * 1024 * 1024;
const KNOWN_HEADS = 100_000;
const POLL_MS = 50;

interface WaitingAppend {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  readonly facts: readonly NewFact[];
  readonly records: readonly Buffer[];
  readonly characters: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

/** What one transaction did: told to the writers and the subscribers once it is on disk. */
interface Group {
  readonly appends: WaitingAppend[];
  readonly settle: (() => void)[];
  readonly heads: Map<string, Head>;
  readonly facts: RecordedFact[];
  characters: number;
  position: number;
}

/**
 * Opens the log in a directory, which is created. One process may write, any number may read beside it (`readOnly`).
 * Throws when another process writes there, or when there is no log to read; LogDamaged where it is not as it was written.
 */
export async function openLmdbEventStore(directory: string, options: LmdbEventStoreOptions = {}): Promise<EventStore> {
  if (options.readOnly) {
    if (!existsSync(join(directory, 'data.mdb'))) throw new Error(`There is no log in ${directory}`);
    checkFile(directory);
    return new LmdbEventStore(openTables(directory, options), directory, undefined);
  }
  mkdirSync(directory, { recursive: true });
  const lock = await takeWriterLock(directory);
  try {
    checkFile(directory);
    const damage = findDamage(directory, 'log', noteOpened(directory), options.damageProgram);
    if (damage !== undefined) throw new LogDamaged(damage);
    return new LmdbEventStore(openTables(directory, options), directory, lock, options);
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

function openTables(directory: string, { readOnly = false, onDamage }: LmdbEventStoreOptions): LogTables {
  return orDamaged(() => new LogTables(openRoot(directory, readOnly), onDamage));
}

function openRoot(directory: string, readOnly: boolean): RootDatabase {
  return open({
    path: directory,
    noSubdir: false,
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
  readonly #heads = new LruCache<string, Head>(KNOWN_HEADS);
  readonly #tails = new Set<LiveTail>();
  #waiting: WaitingAppend[] = [];
  #committing: Promise<void> | undefined;
  /** The last durable position, as far as this process knows. */
  #position: number;
  #closed = false;
  #lostAt: number | undefined;
  /** Of a log that was restored: see `counted-position.ts`. */
  readonly #factsBeforeLife = new Map<number, number>();

  constructor(
    tables: LogTables,
    private readonly directory: string,
    lock: WriterLock | undefined,
    private readonly watch: Pick<LmdbEventStoreOptions, 'onLost' | 'onBack'> = {},
  ) {
    this.#tables = tables;
    this.#lock = lock;
    this.#position = tables.lastPosition();
  }

  get damage(): LogDamaged | undefined {
    return this.#tables.damage;
  }

  append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.#checkOpen();
      if (this.#lock === undefined) throw new Error('The event store was opened for reading only');
      if (facts.length === 0) throw new RangeError(`Nothing to append to ${stream}`);
      checkStreamName(stream);
      const characters = facts.reduce((sum, fact) => sum + fact.data.length, 0);
      const records = facts.map(encodeFact);
      this.#waiting.push({ stream, expected, facts, records, characters, resolve, reject });
      this.#committing ??= this.#commitAll();
    });
  }

  /** Commits whatever waits, group by group: all that arrives while the disk is busy shares the next commit. */
  async #commitAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const position = this.#position;
      const group: Group = { appends: [], settle: [], heads: new Map(), facts: [], characters: 0, position };
      try {
        await this.#tables.transact(() => this.#place(group));
      } catch (error) {
        // None of it has happened: all who were to share the commit hear of it.
        for (const append of group.appends.length > 0 ? group.appends : this.#waiting.splice(0)) append.reject(error);
        this.#noteFailure(error);
        continue;
      }
      this.#noteSuccess();
      this.#position = group.position;
      for (const [stream, head] of group.heads) this.#heads.set(stream, head);
      if (group.facts.length > 0) for (const tail of this.#tails) tail.push(group);
      for (const settle of group.settle) settle();
    }
    this.#committing = undefined;
  }

  #noteFailure(error: unknown): void {
    if (!(error instanceof EventStoreUnavailable) || this.#lostAt !== undefined) return;
    this.#lostAt = performance.now();
    this.watch.onLost?.(error.message);
  }

  #noteSuccess(): void {
    if (this.#lostAt === undefined) return;
    this.watch.onBack?.(Math.round(performance.now() - this.#lostAt));
    this.#lostAt = undefined;
  }

  /** Inside the write transaction: takes what waits, gives each append its place or its refusal. */
  #place(group: Group): void {
    const last = this.#tables.lastPosition();
    if (last !== group.position) throw new Error(`Another process has written to the log: ${last}, ${group.position}`);
    let taken = 0;
    for (let facts = 0, characters = 0; taken < this.#waiting.length; taken++) {
      const append = this.#waiting[taken]!;
      facts += append.facts.length;
      characters += append.characters;
      if (taken > 0 && (facts > COMMIT_FACTS || characters > COMMIT_CHARACTERS)) break;
    }
    group.appends.push(...this.#waiting.splice(0, taken));
    for (const append of group.appends) this.#placeAppend(group, append);
  }

  #placeAppend(group: Group, append: WaitingAppend): void {
    const { stream, expected, facts, records } = append;
    const head = group.heads.get(stream) ?? this.#heads.get(stream) ?? this.#tables.findHead(stream);
    const actual = head?.revision ?? 'no-stream';
    if (actual !== expected) {
      const earlier = head && this.#findSame(head, expected, facts);
      if (earlier) group.settle.push(() => append.resolve(earlier));
      else group.settle.push(() => append.reject(new RevisionConflict(stream, expected, actual)));
      return;
    }
    const number = head?.number ?? this.#tables.addStream(stream);
    let revision = head?.revision ?? -1;
    if (revision + facts.length > MAX_REVISION) throw new RangeError(`${stream} is full`);
    for (let index = 0; index < facts.length; index++) {
      const { id, type, data, metadata } = facts[index]!;
      const record = records[index]!;
      const isLeap = type === LOG_RESTORED && stream === SERVER_STREAM;
      const position = isLeap ? positionAfterRestore(group.position) : group.position + 1;
      group.position = position;
      revision++;
      placeFact(record, number, revision, position);
      this.#tables.addFact(number, revision, position, record);
      group.facts.push({ id, type, data, metadata, stream, revision, position: positionOf(position) });
    }
    group.characters += append.characters;
    group.heads.set(stream, { number, revision });
    const appended = { revision, position: positionOf(group.position) };
    group.settle.push(() => append.resolve(appended));
  }

  /** The place of the very same facts behind `expected`, if they are there. */
  #findSame(head: Head, expected: ExpectedRevision, facts: readonly NewFact[]): Appended | undefined {
    const first = expected === 'no-stream' ? 0 : expected + 1;
    if (first + facts.length - 1 > head.revision) return undefined;
    let found: RecordedFact | undefined;
    for (let index = 0; index < facts.length; index++) {
      found = this.#tables.findFact(head.number, first + index);
      if (found?.id !== facts[index]!.id) return undefined;
    }
    return found && { revision: found.revision, position: found.position };
  }

  /** The last durable position; a reader in another process looks it up. */
  #end(): number {
    this.#checkOpen();
    if (this.#lock === undefined) {
      this.#tables.refresh();
      this.#position = this.#tables.lastPosition();
    }
    return this.#position;
  }

  async head(): Promise<Position> {
    return positionOf(this.#end());
  }

  async findLast(): Promise<RecordedFact | undefined> {
    const end = this.#end();
    return end === 0 ? undefined : this.#tables.readPositions(end - 1, end, 1)[0];
  }

  distance(after: Position, upTo: Position): Distance {
    return {
      amount: Math.max(0, this.#factsUpTo(positionNumber(upTo)) - this.#factsUpTo(positionNumber(after))),
      unit: 'facts',
    };
  }

  /** How many facts stand up to a position: those of the lives before, and those of its own. */
  #factsUpTo(position: number): number {
    const life = Math.floor(position / LIFE);
    if (life === 0) return position;
    let before = this.#factsBeforeLife.get(life);
    if (before === undefined) {
      before = this.#factsUpTo(this.#tables.lastPosition(life * LIFE));
      this.#factsBeforeLife.set(life, before);
    }
    return before + position - life * LIFE;
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
      const facts = this.#tables.readPositions(after, end, options.batchSize ?? READ_FACTS);
      after = positionNumber(facts.at(-1)!.position);
      yield facts;
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
        const facts = live ?? this.#readNext(after);
        if (facts !== undefined) {
          after = positionNumber(facts.at(-1)!.position);
          yield facts;
          if (live === undefined) await nextTurn();
        } else if (this.#lock === undefined) {
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

  #readNext(after: number): readonly RecordedFact[] | undefined {
    const end = this.#end();
    return after < end ? this.#tables.readPositions(after, end, READ_FACTS) : undefined;
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
    await this.#committing;
    for (const tail of this.#tails) tail.wake();
    await this.#tables.close();
    if (this.#lock !== undefined && this.damage === undefined) noteClosed(this.directory);
    await this.#lock?.release();
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error('The event store is closed');
  }
}
