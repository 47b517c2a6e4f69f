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
import { NotErasable } from '#event-store/event-store-errors';
import { eraseTail } from '#event-store/seal-facts';
import type { Position } from '#kernel/position';
import { positionNumber, positionOf } from './position-of.js';

/** A log in memory, for tests. The position of a fact is how many were appended up to it. */
export class MemoryEventStore implements EventStore {
  /** All that are there. */
  readonly facts: RecordedFact[] = [];
  #count = 0;
  readonly #streams = new Map<string, RecordedFact[]>();
  /** The first revision of streams that were truncated. */
  readonly #firsts = new Map<string, number>();
  readonly #waiting = new Set<() => void>();

  /** Another log with the same facts, what was erased and truncated in this one being so there too. */
  copy(): MemoryEventStore {
    const copy = new MemoryEventStore();
    copy.facts.push(...this.facts);
    copy.#count = this.#count;
    for (const [stream, recorded] of this.#streams) copy.#streams.set(stream, [...recorded]);
    for (const [stream, first] of this.#firsts) copy.#firsts.set(stream, first);
    return copy;
  }

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
      const each = Object.freeze({ ...fact, stream, revision: length, position: positionOf(++this.#count) });
      recorded.push(each);
      this.facts.push(each);
    }
    for (const wake of this.#waiting) wake();
    return { revision: recorded.length - 1, position: positionOf(this.#count) };
  }

  async erase(stream: string, revision: number, tail: string): Promise<void> {
    const recorded = this.#streams.get(stream)?.[revision];
    const at = recorded === undefined ? -1 : this.#indexAfter(recorded.position) - 1;
    if (recorded === undefined || this.facts[at] !== recorded)
      throw new NotErasable(`${stream} has no revision ${revision}`);
    this.facts[at] = this.#streams.get(stream)![revision] = eraseTail(recorded, tail);
  }

  async truncate(stream: string, before: number): Promise<void> {
    const recorded = this.#streams.get(stream) ?? [];
    if (recorded[before] === undefined) throw new RangeError(`${stream} has no revision ${before}`);
    const gone = new Set(recorded.slice(0, before));
    this.#firsts.set(stream, Math.max(before, this.#firsts.get(stream) ?? 0));
    this.facts.splice(0, Infinity, ...this.facts.filter((fact) => !gone.has(fact)));
  }

  /** How many of the facts stand up to a position. */
  #indexAfter(position: Position): number {
    let [low, high] = [0, this.facts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.facts[middle]!.position <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  async *readStream(stream: string, options: ReadStreamOptions = {}): AsyncIterable<RecordedFact> {
    const recorded = this.#streams.get(stream) ?? [];
    const { backwards = false, limit = Infinity } = options;
    const step = backwards ? -1 : 1;
    const last = recorded.length - 1;
    const first = this.#firsts.get(stream) ?? 0;
    let at = backwards ? Math.min(options.from ?? last, last) : Math.max(options.from ?? 0, first);
    for (let left = limit; left > 0 && at >= first && at < recorded.length; left--, at += step) yield recorded[at]!;
  }

  async *readAll(options: { after: Position; batchSize?: number }): AsyncIterable<readonly RecordedFact[]> {
    const { batchSize = 1000 } = options;
    const end = positionOf(this.#count);
    for (let { after } = options; after < end;) {
      const at = this.#indexAfter(after);
      const batch = this.facts.slice(at, Math.min(at + batchSize, this.#indexAfter(end)));
      if (batch.length === 0) return;
      after = batch.at(-1)!.position;
      yield batch;
    }
  }

  async *subscribe(options: { after: Position; signal: AbortSignal }): AsyncIterable<readonly RecordedFact[]> {
    const { signal } = options;
    let { after } = options;
    while (!signal.aborted) {
      const at = this.#indexAfter(after);
      if (at < this.facts.length) {
        const batch = this.facts.slice(at, at + 1000);
        after = batch.at(-1)!.position;
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
    return positionOf(this.#count);
  }

  async findLast(): Promise<RecordedFact | undefined> {
    return this.facts.at(-1);
  }

  distance(after: Position, upTo: Position): Distance {
    return { amount: Math.max(0, positionNumber(upTo) - positionNumber(after)), unit: 'facts' };
  }

  async close(): Promise<void> {}
}
