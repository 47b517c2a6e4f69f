import {
  RevisionConflict,
  type Appended,
  type Distance,
  type EventStore,
  type ExpectedRevision,
  type NewFact,
  type ReadStreamOptions,
  type RecordedFact,
} from '#event-store/event-store';
import type { Position } from '#kernel/position';
import { positionNumber, positionOf } from './position-of.js';

/** A log in memory, for tests. The position of a fact is its place in one array, from 1. */
export class MemoryEventStore implements EventStore {
  readonly facts: RecordedFact[] = [];
  readonly #streams = new Map<string, RecordedFact[]>();
  readonly #waiting = new Set<() => void>();

  async append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    if (facts.length === 0) throw new RangeError(`Nothing to append to ${stream}`);
    const recorded = this.#streams.get(stream) ?? [];
    const place = expected === 'no-stream' ? 0 : expected + 1;
    if (place !== recorded.length) {
      const before = recorded.slice(place, place + facts.length);
      const last = before.at(-1);
      if (last !== undefined && before.length === facts.length && before.every((fact, i) => fact.id === facts[i]!.id)) {
        return { revision: last.revision, position: last.position };
      }
      throw new RevisionConflict(stream, expected, recorded.length === 0 ? 'no-stream' : recorded.length - 1);
    }
    this.#streams.set(stream, recorded);
    for (const fact of facts) {
      const { length } = recorded;
      const each = Object.freeze({ ...fact, stream, revision: length, position: positionOf(this.facts.length + 1) });
      recorded.push(each);
      this.facts.push(each);
    }
    for (const wake of this.#waiting) wake();
    return { revision: recorded.length - 1, position: positionOf(this.facts.length) };
  }

  async *readStream(stream: string, options: ReadStreamOptions = {}): AsyncIterable<RecordedFact> {
    const recorded = this.#streams.get(stream) ?? [];
    const { backwards = false, limit = Infinity } = options;
    const step = backwards ? -1 : 1;
    const last = recorded.length - 1;
    let at = backwards ? Math.min(options.from ?? last, last) : (options.from ?? 0);
    for (let left = limit; left > 0 && at >= 0 && at < recorded.length; left--, at += step) yield recorded[at]!;
  }

  async *readAll(options: { after: Position; batchSize?: number }): AsyncIterable<readonly RecordedFact[]> {
    const { batchSize = 1000 } = options;
    const end = this.facts.length;
    for (let at = positionNumber(options.after); at < end; at += batchSize) {
      yield this.facts.slice(at, Math.min(at + batchSize, end));
    }
  }

  async *subscribe(options: { after: Position; signal: AbortSignal }): AsyncIterable<readonly RecordedFact[]> {
    const { signal } = options;
    let at = positionNumber(options.after);
    while (!signal.aborted) {
      if (at < this.facts.length) {
        const batch = this.facts.slice(at, at + 1000);
        at += batch.length;
        yield batch;
      } else {
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            signal.removeEventListener('abort', wake);
            this.#waiting.delete(wake);
            resolve();
          };
          this.#waiting.add(wake);
          signal.addEventListener('abort', wake);
        });
      }
    }
  }

  async *streams(options: { prefix?: string } = {}): AsyncIterable<string> {
    for (const stream of this.#streams.keys()) if (stream.startsWith(options.prefix ?? '')) yield stream;
  }

  async head(): Promise<Position> {
    return positionOf(this.facts.length);
  }

  async findLast(): Promise<RecordedFact | undefined> {
    return this.facts.at(-1);
  }

  distance(after: Position, upTo: Position): Distance {
    return { amount: Math.max(0, positionNumber(upTo) - positionNumber(after)), unit: 'facts' };
  }

  async close(): Promise<void> {}
}
