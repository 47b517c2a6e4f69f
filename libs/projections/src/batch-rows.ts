import { type Answer, whenThere } from '#kernel/answer';
import { encodeKey, encodeRange } from '#read-models/key-encoding';
import { mergeScan, pendingSource, rowsSource } from '#read-models/merge-scan';
import { PendingCollection } from '#read-models/pending-rows';
import type { Key, ReadModelStore, Row, ScanOptions, Write } from '#read-models/read-model-store';
import type { OwnRows } from './projector.js';

/** A write that a later one of the same key may take the place of. */
interface BatchWrite extends Write {
  value: string | null;
  readonly encoded: string;
}

/** What was written to a collection so far. */
interface BatchIndex {
  readonly rows: PendingCollection;
  /** PERF: what was written last. A row that each fact of a room reads and writes anew is written once. */
  last: BatchWrite | undefined;
}

/** What is below the rows of a batch. */
interface StoredRows {
  get(collection: string, key: Key, encoded: string): Answer<string | undefined>;
  scan(collection: string, options: ScanOptions): Answer<Row[]>;
}

/**
 * A projector's own rows while it works through one batch: what it writes is collected, and what it reads is the store with
 * these writes on top. PERF: writes are indexed only once the projector reads that collection; most only write.
 */
export class BatchRows implements OwnRows {
  readonly writes: BatchWrite[] = [];
  /** Nobody will write them: who works on them may stop. */
  isAbandoned = false;
  /** What the store threw when it was read: then no fact is to blame. */
  failure: unknown;
  readonly #indexes = new Map<string, BatchIndex>();
  /** How many writes there were before the fact at hand, and what it has put in the place of some of them. */
  #before = 0;
  readonly #replaced: { readonly write: BatchWrite; readonly value: string | null }[] = [];
  #lastKey: Key = [];
  #lastEncoded = '';

  constructor(
    readonly store: Pick<ReadModelStore, 'get' | 'scan' | 'atHand'>,
    /** Logical -> physical name of the collections it may touch. */
    readonly physical: ReadonlyMap<string, string>,
  ) {}

  get(collection: string, key: Key): Answer<string | undefined> {
    const physical = this.#physicalName(collection);
    const encoded = this.#encode(key);
    const pending = this.#index(physical).values.get(encoded);
    if (pending !== undefined) return pending ?? undefined;
    return this.#read((rows) => rows.get(physical, key, encoded));
  }

  scan(collection: string, options: ScanOptions): Answer<Row[]> {
    const physical = this.#physicalName(collection);
    const { reverse = false, limit } = options;
    const range = encodeRange(options);
    const hidden = this.#index(physical).countHidden(range);
    const stored = this.#read((rows) => rows.scan(physical, { ...options, limit: limit + hidden }));
    return whenThere(stored, (rows) => {
      const source = pendingSource(this.#index(physical), range, reverse);
      return source === undefined ? rows.slice(0, limit) : mergeScan([source, rowsSource(rows)], reverse, limit);
    });
  }

  put(collection: string, key: Key, value: string): void {
    this.#write(collection, key, value);
  }

  delete(collection: string, key: Key): void {
    this.#write(collection, key, null);
  }

  /** The next fact begins. */
  begin(): void {
    this.#before = this.writes.length;
    this.#replaced.length = 0;
  }

  /** Forgets what was written for the fact at hand, which could not be projected. */
  undo(): void {
    if (this.writes.length === this.#before && this.#replaced.length === 0) return;
    for (const { write, value } of this.#replaced.toReversed()) write.value = value;
    this.#replaced.length = 0;
    this.writes.length = this.#before;
    this.#indexes.clear();
  }

  #read<T>(read: (rows: StoredRows) => Answer<T>): Answer<T> {
    try {
      const answer = read(this.store.atHand ?? this.store);
      return answer instanceof Promise ? answer.catch((error: unknown) => this.#fail(error)) : answer;
    } catch (error) {
      return this.#fail(error);
    }
  }

  #fail(error: unknown): never {
    this.failure = error;
    throw error;
  }

  #write(collection: string, key: Key, value: string | null): void {
    const physical = this.#physicalName(collection);
    const encoded = this.#encode(key);
    const index = this.#indexes.get(physical);
    index?.rows.set(encoded, value);
    const last = index?.last;
    if (last?.encoded === encoded) {
      this.#replaced.push({ write: last, value: last.value });
      last.value = value;
      return;
    }
    const write: BatchWrite = { collection: physical, key, value, encoded };
    this.writes.push(write);
    if (index !== undefined) index.last = write;
  }

  /** PERF: most rows that are read are written right after, so that their keys need not be encoded anew. */
  #encode(key: Key): string {
    const last = this.#lastKey;
    if (key.length === last.length && key.every((part, i) => part === last[i])) return this.#lastEncoded;
    this.#lastEncoded = encodeKey(key);
    this.#lastKey = key;
    return this.#lastEncoded;
  }

  #index(physical: string): PendingCollection {
    let index = this.#indexes.get(physical);
    if (index === undefined) {
      index = { rows: new PendingCollection(), last: undefined };
      for (const write of this.writes) {
        if (write.collection !== physical) continue;
        index.rows.set(write.encoded, write.value);
        index.last = write;
      }
      this.#indexes.set(physical, index);
    }
    return index.rows;
  }

  #physicalName(collection: string): string {
    const physical = this.physical.get(collection);
    if (physical === undefined) throw new Error(`The projector does not own the collection ${collection}`);
    return physical;
  }
}
