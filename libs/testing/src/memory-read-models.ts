import { encodeKey, encodeKeyToFind, encodeRange } from '#read-models/key-encoding';
import { mergeScan, pendingSource } from '#read-models/merge-scan';
import { PendingRows } from '#read-models/pending-rows';
import { ViewsTaken } from '#read-models/read-model-errors';
import type { Key, ReadModelStore, Row, ScanOptions, Write } from '#read-models/read-model-store';

/** What processes share. */
interface Shared {
  readonly rows: PendingRows;
  writer: MemoryReadModels | undefined;
}

/** Views in memory, for tests. They outlive `close`, so that a test can start a second runtime over them. */
export class MemoryReadModels implements ReadModelStore {
  readonly #shared: Shared;
  readonly #rows: PendingRows;
  /** How often `write` was called. */
  writeCalls = 0;
  /** When set, thrown by `write` instead of writing. */
  failure: Error | undefined;

  constructor(shared: Shared = { rows: new PendingRows(), writer: undefined }) {
    this.#shared = shared;
    this.#rows = shared.rows;
  }

  /** The same views, as another process has them. */
  another(): MemoryReadModels {
    return new MemoryReadModels(this.#shared);
  }

  /** The process has ended, or was not heard of for too long. */
  loseLease(): void {
    this.#shared.writer = undefined;
  }

  /** Also as long as nobody has asked for the lease: most tests have one process. */
  get isWriter(): boolean {
    return this.#shared.writer === undefined || this.#shared.writer === this;
  }

  async takeLease(): Promise<boolean> {
    this.#shared.writer ??= this;
    return this.isWriter;
  }

  async get(collection: string, key: Key): Promise<string | undefined> {
    return this.#rows.get(collection, encodeKeyToFind(key)) ?? undefined;
  }

  async getMany(collection: string, keys: readonly Key[]): Promise<(string | undefined)[]> {
    return keys.map((key) => this.#rows.get(collection, encodeKeyToFind(key)) ?? undefined);
  }

  async scan(collection: string, options: ScanOptions): Promise<Row[]> {
    const { reverse = false, limit } = options;
    const source = pendingSource(this.#rows.collections.get(collection), encodeRange(options), reverse);
    return source === undefined ? [] : mergeScan([source], reverse, limit);
  }

  async write(writes: readonly Write[]): Promise<void> {
    this.writeCalls++;
    if (this.failure !== undefined) throw this.failure;
    if (!this.isWriter) throw new ViewsTaken();
    for (const { collection, key, value } of writes) this.#rows.set(collection, encodeKey(key), value);
  }

  async drop(collection: string): Promise<void> {
    this.#rows.collections.delete(collection);
  }

  async collections(): Promise<string[]> {
    return [...this.#rows.collections].filter(([, rows]) => holdsRows(rows.values)).map(([name]) => name);
  }

  async confirm(): Promise<void> {}
  async flush(): Promise<void> {}
  async close(): Promise<void> {}
}

function holdsRows(values: ReadonlyMap<string, string | null>): boolean {
  return [...values.values()].some((value) => value !== null);
}
