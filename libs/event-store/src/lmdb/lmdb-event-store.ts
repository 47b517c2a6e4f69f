import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { open, type Database, type RootDatabase } from 'lmdb';
import { LruCache } from '#kernel/lru-cache';
import { positionNumber, positionOf, type Position } from '#kernel/position';
import {
  RevisionConflict,
  type Appended,
  type EventStore,
  type ExpectedRevision,
  type NewFact,
  type ReadStreamOptions,
  type RecordedFact,
} from '../event-store.js';
import { decodeFact, encodeFact, placeFact } from './fact-record.js';
import { LiveTail, type DurableBatch } from './live-tail.js';
import { takeWriterLock, type WriterLock } from './writer-lock.js';

export interface LmdbEventStoreOptions {
  /** For a second process: reads what another writes; `subscribe` polls. */
  readonly readOnly?: boolean;
}

/** One reading from disk: how many facts, and after how many characters of data it stops early. */
const READ_FACTS = 1000;
const READ_CHARACTERS = 4 * 1024 * 1024;
const READ_STREAM_FACTS = 200;
/** What one commit takes along at most, so that no transaction holds the event loop for long. */
const COMMIT_FACTS = 2000;
const COMMIT_CHARACTERS = 32 * 1024 * 1024;
const KNOWN_STREAMS = 100_000;
const POLL_MS = 50;
const MAX_STREAM_BYTES = 1900;
const MAX_REVISION = 0xffffffff;

interface Head {
  readonly number: number;
  readonly revision: number;
  readonly position: number;
}

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
  readonly settle: (() => void)[];
  readonly appends: WaitingAppend[];
  readonly heads: Map<string, Head>;
  readonly facts: RecordedFact[];
  characters: number;
  position: number;
}

/**
 * Opens the log in a directory, which is created. One process may write, any number may read beside it (`readOnly`).
 * Throws when another process writes there, or when there is no log to read.
 */
export async function openLmdbEventStore(directory: string, options: LmdbEventStoreOptions = {}): Promise<EventStore> {
  const readOnly = options.readOnly ?? false;
  if (readOnly) {
    if (!existsSync(join(directory, 'data.mdb'))) throw new Error(`There is no log in ${directory}`);
    return new LmdbEventStore(openRoot(directory, true), undefined);
  }
  mkdirSync(directory, { recursive: true });
  const lock = await takeWriterLock(directory);
  try {
    return new LmdbEventStore(openRoot(directory, false), lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function openRoot(directory: string, readOnly: boolean): RootDatabase {
  // Without `overlappingSync` a commit becomes visible, and its promise settles, only when it is on disk.
  return open({ path: directory, noSubdir: false, readOnly, overlappingSync: false, maxDbs: 8, maxReaders: 512 });
}

/*
 * Four tables: `facts` by position; `revisions` by number of the stream and revision, to the position; `streams` by name,
 * to a number; `names` back.
 */
class LmdbEventStore implements EventStore {
  readonly #root: RootDatabase;
  readonly #lock: WriterLock | undefined;
  readonly #facts: Database<RecordedFact, number>;
  readonly #revisions: Database<Buffer, Buffer>;
  readonly #streams: Database<number, string>;
  readonly #names: Database<string, number>;
  readonly #heads = new LruCache<string, Head>(KNOWN_STREAMS);
  readonly #streamNames = new LruCache<number, string>(KNOWN_STREAMS);
  readonly #tails = new Set<LiveTail>();
  #waiting: WaitingAppend[] = [];
  #committing: Promise<void> | undefined;
  /** The last durable position, as far as this process knows. */
  #position: number;
  #closed = false;

  constructor(root: RootDatabase, lock: WriterLock | undefined) {
    this.#root = root;
    this.#lock = lock;
    const streamName = (stream: number) => this.#streamName(stream);
    const encoder = {
      encode: (record: Buffer) => record,
      decode: (record: Buffer, length: unknown) =>
        decodeFact(record, typeof length === 'number' ? length : record.length, streamName),
    };
    const table = <V, K extends number | string | Buffer>(name: string, tableOptions: object): Database<V, K> => {
      const opened = root.openDB<V, K>({ name, ...tableOptions });
      // lmdb answers undefined for a table that is not there and may not be created.
      if (opened === undefined) throw new Error(`There is no log: the table ${name} is missing`);
      return opened;
    };
    this.#facts = table('facts', { encoder });
    this.#revisions = table('revisions', { keyEncoding: 'binary', encoding: 'binary' });
    this.#streams = table('streams', { encoding: 'ordered-binary' });
    this.#names = table('names', { keyEncoding: 'uint32', encoding: 'string' });
    this.#position = this.#lastPosition();
  }

  append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new Error('The event store is closed');
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
      const group: Group = {
        settle: [],
        appends: [],
        heads: new Map(),
        facts: [],
        characters: 0,
        position: this.#position,
      };
      try {
        // A child transaction, so that an error in the middle undoes the whole group.
        await this.#root.childTransaction(() => this.#place(group));
      } catch (error) {
        // None of it happened: the whole group hears of it.
        for (const append of group.appends) append.reject(error);
        if (group.appends.length === 0) this.#rejectWaiting(error);
        continue;
      }
      this.#position = group.position;
      for (const [stream, head] of group.heads) this.#heads.set(stream, head);
      if (group.facts.length > 0) this.#publish({ facts: group.facts, characters: group.characters });
      for (const settle of group.settle) settle();
    }
    this.#committing = undefined;
  }

  #rejectWaiting(error: unknown): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const append of waiting) append.reject(error);
  }

  #publish(batch: DurableBatch): void {
    for (const tail of this.#tails) tail.push(batch);
  }

  /** Inside the write transaction: takes what waits, gives each append its place or its refusal. */
  #place(group: Group): void {
    const last = this.#lastPosition();
    if (last !== this.#position) throw new Error(`Another process has written to the log: ${last}, ${this.#position}`);
    let taken = 0;
    let facts = 0;
    let characters = 0;
    while (taken < this.#waiting.length && facts < COMMIT_FACTS && characters < COMMIT_CHARACTERS) {
      const append = this.#waiting[taken++]!;
      facts += append.facts.length;
      characters += append.characters;
      group.appends.push(append);
    }
    this.#waiting = this.#waiting.slice(taken);
    for (const append of group.appends) this.#placeAppend(group, append);
  }

  #placeAppend(group: Group, append: WaitingAppend): void {
    const { stream, expected, facts, records } = append;
    const head = group.heads.get(stream) ?? this.#findHead(stream);
    const actual = head?.revision ?? 'no-stream';
    if (actual !== expected) {
      const earlier = head && this.#findSame(head, expected, facts);
      if (earlier) group.settle.push(() => append.resolve(earlier));
      else group.settle.push(() => append.reject(new RevisionConflict(stream, expected, actual)));
      return;
    }
    const number = head?.number ?? this.#addStream(stream);
    let revision = head?.revision ?? -1;
    if (revision + facts.length > MAX_REVISION) throw new RangeError(`${stream} is full`);
    for (let index = 0; index < facts.length; index++) {
      const fact = facts[index]!;
      const record = records[index]!;
      const position = ++group.position;
      revision++;
      placeFact(record, number, revision, position);
      void this.#facts.put(position, record as unknown as RecordedFact);
      void this.#revisions.put(revisionKey(number, revision), positionValue(position));
      const { id, type, data, metadata } = fact;
      group.facts.push({ id, type, data, metadata, stream, revision, position: positionOf(position) });
    }
    group.characters += append.characters;
    group.heads.set(stream, { number, revision, position: group.position });
    const appended = { revision, position: positionOf(group.position) };
    group.settle.push(() => append.resolve(appended));
  }

  /** The place of the very same facts behind `expected`, if they are there. */
  #findSame(head: Head, expected: ExpectedRevision, facts: readonly NewFact[]): Appended | undefined {
    const first = expected === 'no-stream' ? 0 : expected + 1;
    const last = first + facts.length - 1;
    if (last > head.revision) return undefined;
    let position = 0;
    for (let index = 0; index < facts.length; index++) {
      const found = this.#revisions.get(revisionKey(head.number, first + index));
      if (found === undefined) return undefined;
      position = positionIn(found);
      if (this.#facts.get(position)?.id !== facts[index]!.id) return undefined;
    }
    return { revision: last, position: positionOf(position) };
  }

  #findHead(stream: string): Head | undefined {
    const known = this.#heads.get(stream);
    if (known) return known;
    const number = this.#streams.get(stream);
    if (number === undefined) return undefined;
    for (const { key, value } of this.#revisions.getRange({
      start: revisionKey(number, MAX_REVISION),
      end: revisionKey(number, 0),
      inclusiveEnd: true,
      reverse: true,
      limit: 1,
    })) {
      return { number, revision: key.readUInt32BE(4), position: positionIn(value) };
    }
    return undefined;
  }

  #addStream(stream: string): number {
    let number = 1;
    for (const last of this.#names.getKeys({ reverse: true, limit: 1 })) number = last + 1;
    void this.#streams.put(stream, number);
    void this.#names.put(number, stream);
    return number;
  }

  #streamName(number: number): string {
    let name = this.#streamNames.get(number);
    if (name === undefined) {
      name = this.#names.get(number);
      if (name === undefined) throw new Error(`The log names no stream ${number}`);
      this.#streamNames.set(number, name);
    }
    return name;
  }

  #lastPosition(): number {
    for (const position of this.#facts.getKeys({ reverse: true, limit: 1 })) return position;
    return 0;
  }

  /** The last durable position; a reader in another process looks it up. */
  #refreshedPosition(): number {
    if (this.#lock === undefined && !this.#closed) {
      this.#root.resetReadTxn();
      this.#position = this.#lastPosition();
    }
    return this.#position;
  }

  async head(): Promise<Position> {
    this.#checkOpen();
    return positionOf(this.#refreshedPosition());
  }

  async *readStream(stream: string, options: ReadStreamOptions = {}): AsyncIterable<RecordedFact> {
    this.#checkOpen();
    this.#refreshedPosition();
    const number = this.#streams.get(stream);
    if (number === undefined) return;
    const backwards = options.backwards ?? false;
    let left = options.limit ?? Infinity;
    let from = options.from ?? (backwards ? MAX_REVISION : 0);
    while (left > 0 && from >= 0 && from <= MAX_REVISION) {
      const limit = Math.min(left, READ_STREAM_FACTS);
      const facts = this.#readRevisions(number, from, backwards, limit);
      yield* facts;
      const last = facts.at(-1);
      if (last === undefined) return;
      left -= facts.length;
      from = last.revision + (backwards ? -1 : 1);
      // Stands where a short answer would end the loop: an answer may be short because its facts are large.
      if (left > 0) await nextTurn();
      this.#checkOpen();
    }
  }

  #readRevisions(number: number, from: number, backwards: boolean, limit: number): RecordedFact[] {
    const facts: RecordedFact[] = [];
    let characters = 0;
    const range = this.#revisions.getRange({
      start: revisionKey(number, from),
      end: revisionKey(number, backwards ? 0 : MAX_REVISION),
      inclusiveEnd: true,
      reverse: backwards,
      limit,
    });
    for (const { value } of range) {
      const fact = this.#facts.get(positionIn(value));
      if (fact === undefined) throw new Error(`The log has lost position ${positionIn(value)}`);
      facts.push(fact);
      characters += fact.data.length;
      if (characters > READ_CHARACTERS) break;
    }
    return facts;
  }

  async *readAll(options: { after: Position; batchSize?: number }): AsyncIterable<readonly RecordedFact[]> {
    this.#checkOpen();
    const end = this.#refreshedPosition();
    let after = positionNumber(options.after);
    while (after < end) {
      const facts = this.#readPositions(after, end, options.batchSize ?? READ_FACTS);
      after = positionNumber(facts.at(-1)!.position);
      yield facts;
      await nextTurn();
      this.#checkOpen();
    }
  }

  /** The facts behind `after` up to `end`, at least one. */
  #readPositions(after: number, end: number, limit: number): RecordedFact[] {
    const facts: RecordedFact[] = [];
    let characters = 0;
    for (const { value } of this.#facts.getRange({ start: after + 1, end: end + 1, limit })) {
      facts.push(value);
      characters += value.data.length;
      if (characters > READ_CHARACTERS) break;
    }
    if (facts.length === 0) throw new Error(`The log has lost what stands behind position ${after}`);
    return facts;
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
        const end = live ? after : this.#refreshedPosition();
        const facts = live ?? (after < end ? this.#readPositions(after, end, READ_FACTS) : undefined);
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

  async *streams(options: { prefix?: string } = {}): AsyncIterable<string> {
    const prefix = options.prefix ?? '';
    let last: string | undefined;
    for (;;) {
      this.#checkOpen();
      this.#refreshedPosition();
      const start = last ?? (prefix === '' ? undefined : prefix);
      const range = {
        ...(start === undefined ? {} : { start }),
        exclusiveStart: last !== undefined,
        limit: READ_FACTS,
      };
      const names = [...this.#streams.getKeys(range)];
      for (const name of names) {
        if (!name.startsWith(prefix)) return;
        yield name;
      }
      last = names.at(-1);
      if (last === undefined) return;
      await nextTurn();
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#committing;
    for (const tail of this.#tails) tail.wake();
    await this.#root.close();
    await this.#lock?.release();
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error('The event store is closed');
  }
}

function checkStreamName(stream: string): void {
  if (stream === '' || stream.includes('\0') || Buffer.byteLength(stream) > MAX_STREAM_BYTES) {
    throw new RangeError(`Not a stream name: ${stream.slice(0, 80)}`);
  }
}

function revisionKey(stream: number, revision: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeUInt32BE(stream, 0);
  key.writeUInt32BE(revision, 4);
  return key;
}

function positionValue(position: number): Buffer {
  const value = Buffer.allocUnsafe(8);
  value.writeDoubleBE(position, 0);
  return value;
}

function positionIn(value: Buffer): number {
  return value.readDoubleBE(0);
}
