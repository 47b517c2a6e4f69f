import type { CacheNumbers } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import type {
  Appended,
  Distance,
  EventStore,
  ExpectedRevision,
  NewFact,
  ReadStreamOptions,
  RecordedFact,
} from './event-store.js';

/** A log that hands all that it is asked for on to another: for those who do a part of that otherwise. */
export class EventStoreUpon implements EventStore {
  constructor(protected readonly store: EventStore) {}

  get damage(): Error | undefined {
    return this.store.damage;
  }

  get caches(): Readonly<Record<string, CacheNumbers>> | undefined {
    return this.store.caches;
  }

  append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    return this.store.append(stream, expected, facts);
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
