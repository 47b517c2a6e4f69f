import { type Answer, whenThere } from '#kernel/answer';
import { encodeKey, encodeRange } from '#read-models/key-encoding';
import { mergeScan, pendingSource, rowsSource } from '#read-models/merge-scan';
import { PendingCollection } from '#read-models/pending-rows';
import type { Key, ReadModelStore, Row, ScanOptions, Write } from '#read-models/read-model-store';
import type { OwnRows } from './projector.js';

/**
 * A projector's own rows while it works through one batch: what it writes is collected, and what it reads is the store with
 * these writes on top. PERF: writes are indexed only once the projector reads that collection; most only write.
 */
export class BatchRows implements OwnRows {
  readonly writes: Write[] = [];
  /** Nobody will write them: who works on them may stop. */
  isAbandoned = false;
  /** What the store threw when it was read: then no fact is to blame. */
  failure: unknown;
  readonly #indexes = new Map<string, PendingCollection>();

  constructor(
    readonly store: Pick<ReadModelStore, 'get' | 'scan' | 'atHand'>,
    /** Logical -> physical name of the collections it may touch. */
    readonly physical: ReadonlyMap<string, string>,
  ) {}

  get(collection: string, key: Key): Answer<string | undefined> {
    const physical = this.#physicalName(collection);
    const pending = this.#index(physical).values.get(encodeKey(key));
    return pending === undefined ? this.#read((rows) => rows.get(physical, key)) : (pending ?? undefined);
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

  /** Forgets all writes behind the first `count`: those of a fact that could not be projected. */
  truncate(count: number): void {
    if (this.writes.length === count) return;
    this.writes.length = count;
    this.#indexes.clear();
  }

  #read<T>(read: (rows: Pick<OwnRows, 'get' | 'scan'>) => Answer<T>): Answer<T> {
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
    this.writes.push({ collection: physical, key, value });
    this.#indexes.get(physical)?.set(encodeKey(key), value);
  }

  #index(physical: string): PendingCollection {
    let index = this.#indexes.get(physical);
    if (index === undefined) {
      index = new PendingCollection();
      for (const { collection, key, value } of this.writes) {
        if (collection === physical) index.set(encodeKey(key), value);
      }
      this.#indexes.set(physical, index);
    }
    return index;
  }

  #physicalName(collection: string): string {
    const physical = this.physical.get(collection);
    if (physical === undefined) throw new Error(`The projector does not own the collection ${collection}`);
    return physical;
  }
}
