import type { EventStore, RecordedFact } from '#event-store/event-store';
import { EventStoreUpon } from '#event-store/event-store-upon';
import type { Position } from '#kernel/position';

/** Batches kept: rebuilds that run side by side are never further apart than this, or read for themselves. */
const KEPT = 16;

/**
 * PERF: a log whose readers share what they read: many rebuilds that pass the same places at about the same time decode each
 * batch once, and, since they get the very same facts, parse it once. Three times as fast with all projectors of the house.
 */
export function shareReads(store: EventStore): EventStore {
  return new SharedReads(store);
}

class SharedReads extends EventStoreUpon {
  readonly #readings: Readings;
  readonly #batches = new Map<string, Promise<readonly RecordedFact[] | undefined>>();
  #readers = 0;

  constructor(store: EventStore) {
    super(store);
    this.#readings = new Readings(store);
  }

  override async erase(stream: string, revision: number, tail: string): Promise<void> {
    await super.erase(stream, revision, tail);
    this.#forget();
  }

  override async truncate(stream: string, before: number): Promise<void> {
    await super.truncate(stream, before);
    this.#forget();
  }

  override async *readAll({
    after,
    batchSize = 1000,
  }: {
    after: Position;
    batchSize?: number;
  }): AsyncGenerator<readonly RecordedFact[], void> {
    const head = await this.head();
    this.#readers++;
    try {
      for (let at = after; at < head;) {
        const facts = await this.#batchBehind(at, batchSize);
        if (facts === undefined) return;
        at = facts.at(-1)!.position;
        yield facts;
      }
    } finally {
      // Nothing of it stays in memory when nobody reads any more.
      if (--this.#readers === 0) this.#forget();
    }
  }

  #batchBehind(after: Position, batchSize: number): Promise<readonly RecordedFact[] | undefined> {
    const key = `${after} ${batchSize}`;
    const known = this.#batches.get(key);
    if (known !== undefined) return known;
    const read = this.#readings.next(after, batchSize);
    this.#batches.set(key, read);
    // What is read at the end of the log, or not at all, may be another the next time.
    read.then(
      (facts) => facts === undefined && this.#batches.delete(key),
      () => this.#batches.delete(key),
    );
    if (this.#batches.size > KEPT) this.#batches.delete(this.#batches.keys().next().value as string);
    return read;
  }

  #forget(): void {
    this.#batches.clear();
    this.#readings.closeAll();
  }
}

/** Readings kept open: that of the foremost, and those of some who fell back. */
const OPEN = 4;

/**
 * Readings of the log that are under way, each at some place: whoever asks for what comes after that place goes on with it,
 * for to begin a reading costs a server as much as hundreds of facts.
 */
class Readings {
  readonly #open = new Map<string, AsyncIterator<readonly RecordedFact[]>>();

  constructor(private readonly store: EventStore) {}

  /** The next batch after a position; undefined at the end of the log as it was when its reading began. */
  async next(after: Position, batchSize: number): Promise<readonly RecordedFact[] | undefined> {
    const key = `${after} ${batchSize}`;
    const known = this.#open.get(key);
    this.#open.delete(key);
    const reading = known ?? this.store.readAll({ after, batchSize })[Symbol.asyncIterator]();
    const { value, done } = await reading.next();
    // One that began earlier ends where the log ended then.
    if (done === true) return known === undefined ? undefined : this.next(after, batchSize);
    const facts: readonly RecordedFact[] = value;
    this.#open.set(`${facts.at(-1)!.position} ${batchSize}`, reading);
    if (this.#open.size > OPEN) this.#close(this.#open.keys().next().value as string);
    return facts;
  }

  closeAll(): void {
    for (const key of this.#open.keys()) this.#close(key);
  }

  #close(key: string): void {
    const reading = this.#open.get(key);
    this.#open.delete(key);
    void reading?.return?.();
  }
}
