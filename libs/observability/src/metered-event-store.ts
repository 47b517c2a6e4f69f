import type { Stopwatch } from '#kernel/clock';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import {
  type Appended,
  type Distance,
  type EventStore,
  type ExpectedRevision,
  type NewFact,
  type ReadStreamOptions,
  type RecordedFact,
  RevisionConflict,
} from '#event-store/event-store';
import { AppendTooLarge } from '#event-store/event-store-errors';
import type { Metrics } from './metrics.js';

/** The log as it is, counting what is appended and remembering when that last failed. */
export class MeteredEventStore implements EventStore {
  #failedAt: number | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly metrics: Metrics,
    private readonly stopwatch: Stopwatch,
  ) {}

  /** When by the stopwatch the log last failed to take an append (a conflict or a refused size is no failure), if it has taken none since. */
  get failedAt(): number | undefined {
    return this.#failedAt;
  }

  get damage(): Error | undefined {
    return this.store.damage;
  }

  get caches(): Readonly<Record<string, CacheNumbers>> | undefined {
    return this.store.caches;
  }

  append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    const appended = this.store.append(stream, expected, facts);
    appended.then(
      () => {
        this.#failedAt = undefined;
        this.metrics.countFacts(facts.length);
      },
      (error: unknown) => {
        // The log has answered: nothing is wrong with it.
        if (error instanceof RevisionConflict || error instanceof AppendTooLarge) return;
        this.#failedAt = this.stopwatch.elapsed();
        this.metrics.countFailedAppend();
      },
    );
    return appended;
  }

  erase(stream: string, revision: number, tail: string): Promise<void> {
    return this.store.erase(stream, revision, tail);
  }

  truncate(stream: string, before: number): Promise<void> {
    return this.store.truncate(stream, before);
  }

  readStream(stream: string, options?: ReadStreamOptions): AsyncIterable<RecordedFact> {
    return this.store.readStream(stream, options);
  }

  readAll(options: { after: Position; batchSize?: number }): AsyncIterable<readonly RecordedFact[]> {
    return this.store.readAll(options);
  }

  subscribe(options: { after: Position; signal: AbortSignal }): AsyncIterable<readonly RecordedFact[]> {
    return this.store.subscribe(options);
  }

  streams(options?: { prefix?: string }): AsyncIterable<string> {
    return this.store.streams(options);
  }

  head(): Promise<Position> {
    return this.store.head();
  }

  findLast(): Promise<RecordedFact | undefined> {
    return this.store.findLast();
  }

  distance(after: Position, upTo: Position): Distance {
    return this.store.distance(after, upTo);
  }

  close(): Promise<void> {
    return this.store.close();
  }
}
