import type {
  Appended,
  Distance,
  EventStore,
  ExpectedRevision,
  NewFact,
  ReadStreamOptions,
  RecordedFact,
} from '#event-store/event-store';
import type { Position } from '#kernel/position';
import type { Key, ReadModelStore, Row, ScanOptions, Write } from '#read-models/read-model-store';
import { MemoryEventStore } from './memory-event-store.js';
import { MemoryReadModels } from './memory-read-models.js';

/** What a process has on its disk, in memory: a copy is the disk as it was at that moment. */
export class Disk {
  private constructor(
    readonly log: MemoryEventStore,
    readonly views: MemoryReadModels,
  ) {}

  static empty(): Disk {
    return new Disk(new MemoryEventStore(), new MemoryReadModels());
  }

  /** These views beside another log. */
  with(log: MemoryEventStore): Disk {
    return new Disk(log, this.views);
  }

  /** `withoutViews`: somebody deleted them. */
  async copy({ withoutViews = false } = {}): Promise<Disk> {
    const disk = new Disk(this.log.copy(), new MemoryReadModels());
    if (withoutViews) return disk;
    for (const collection of await this.views.collections()) {
      const rows = await this.views.scan(collection, { prefix: [], limit: Infinity });
      await disk.views.write(rows.map(({ key, value }) => ({ collection, key, value })));
    }
    return disk;
  }
}

/**
 * The stores of one process that ends after so many writes, of facts or of rows, and not a moment later: what it asks of them
 * from then on is never done and never answered.
 */
export class MortalStores {
  /** What was written, in order, for who reads why a test failed. */
  readonly steps: string[] = [];
  /** Settles when the process has ended. */
  readonly ended: Promise<void>;
  readonly store: EventStore;
  readonly readModels: ReadModelStore;
  #end: () => void = () => {};
  #last = Infinity;

  constructor(disk: Disk) {
    this.ended = new Promise((end) => (this.#end = end));
    this.store = new MortalLog(disk.log, this);
    this.readModels = new MortalViews(disk.views, this);
  }

  get hasEnded(): boolean {
    return this.steps.length >= this.#last;
  }

  /** Whether the last write was one of facts. */
  get wroteFacts(): boolean {
    return this.steps.at(-1)?.includes(': ') ?? false;
  }

  /** The process ends after so many writes from now on. */
  endAfter(writes: number): void {
    this.steps.length = 0;
    this.#last = writes;
  }

  /** The process ends now. */
  end(): void {
    this.#last = 0;
    this.#end();
  }

  /** What an operation answers, if it still is answered. */
  async live<T>(operation: () => Promise<T>, writes?: string): Promise<T> {
    if (this.hasEnded) return never();
    const result = await operation();
    if (this.hasEnded) return never();
    if (writes === undefined) return result;
    this.steps.push(writes);
    if (!this.hasEnded) return result;
    this.#end();
    return never();
  }

  async *liveAll<T>(items: AsyncIterable<T>): AsyncIterable<T> {
    if (this.hasEnded) await never();
    for await (const item of items) {
      if (this.hasEnded) await never();
      yield item;
    }
    if (this.hasEnded) await never();
  }
}

class MortalLog implements EventStore {
  constructor(
    private readonly log: MemoryEventStore,
    private readonly life: MortalStores,
  ) {}

  append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    const step = `${stream}: ${facts.map(({ type }) => type).join(', ')}`;
    return this.life.live(() => this.log.append(stream, expected, facts), step);
  }

  erase(stream: string, revision: number, tail: string): Promise<void> {
    return this.life.live(() => this.log.erase(stream, revision, tail), `${stream}: erased ${revision}`);
  }

  truncate(stream: string, before: number): Promise<void> {
    return this.life.live(() => this.log.truncate(stream, before), `${stream}: truncated before ${before}`);
  }

  readStream(stream: string, options?: ReadStreamOptions): AsyncIterable<RecordedFact> {
    return this.life.liveAll(this.log.readStream(stream, options));
  }

  readAll(options: { after: Position; batchSize?: number }): AsyncIterable<readonly RecordedFact[]> {
    return this.life.liveAll(this.log.readAll(options));
  }

  subscribe(options: { after: Position; signal: AbortSignal }): AsyncIterable<readonly RecordedFact[]> {
    return this.life.liveAll(this.log.subscribe(options));
  }

  streams(options?: { prefix?: string }): AsyncIterable<string> {
    return this.life.liveAll(this.log.streams(options));
  }

  head(): Promise<Position> {
    return this.life.live(() => this.log.head());
  }

  findLast(): Promise<RecordedFact | undefined> {
    return this.life.live(() => this.log.findLast());
  }

  distance(after: Position, upTo: Position): Distance {
    return this.log.distance(after, upTo);
  }

  async close(): Promise<void> {}
}

class MortalViews implements ReadModelStore {
  constructor(
    private readonly views: MemoryReadModels,
    private readonly life: MortalStores,
  ) {}

  get isWriter(): boolean {
    return this.views.isWriter;
  }

  takeLease(): Promise<boolean> {
    return this.life.live(() => this.views.takeLease());
  }

  get(collection: string, key: Key): Promise<string | undefined> {
    return this.life.live(() => this.views.get(collection, key));
  }

  getMany(collection: string, keys: readonly Key[]): Promise<(string | undefined)[]> {
    return this.life.live(() => this.views.getMany(collection, keys));
  }

  scan(collection: string, options: ScanOptions): Promise<Row[]> {
    return this.life.live(() => this.views.scan(collection, options));
  }

  write(writes: readonly Write[]): Promise<void> {
    return this.life.live(() => this.views.write(writes), `${writes.length} rows`);
  }

  drop(collection: string): Promise<void> {
    return this.life.live(() => this.views.drop(collection), `drop ${collection}`);
  }

  collections(): Promise<string[]> {
    return this.life.live(() => this.views.collections());
  }

  confirm(): Promise<void> {
    return this.life.live(() => this.views.confirm());
  }

  async flush(): Promise<void> {}
  async close(): Promise<void> {}
}

function never(): Promise<never> {
  return new Promise(() => {});
}
