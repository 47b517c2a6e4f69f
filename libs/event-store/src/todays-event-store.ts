import type { Position } from '#kernel/position';
import type {
  Appended,
  EventStore,
  ExpectedRevision,
  NewFact,
  ReadStreamOptions,
  RecordedFact,
} from './event-store.js';
import { EventStoreUpon } from './event-store-upon.js';
import { type FactParts, withParts } from './fact-parts.js';
import { type FactShapes, inTodaysShape, newestSchema } from './fact-shapes.js';

/**
 * The log as all of today's code reads and writes it: facts of older schemas come in today's shape, and those that were told in parts
 * whole, whoever reads them. What reads a fact of a schema that is not known throws UnknownSchema, and so does nobody go on with a
 * guess. What looks at the chain wants the log itself: a fact in another shape is not the one that was sealed.
 */
export class TodaysEventStore extends EventStoreUpon {
  constructor(
    store: EventStore,
    private readonly shapes: FactShapes,
    private readonly parts: FactParts,
  ) {
    super(store);
  }

  /** As of any log. Throws an Error for a fact that is not of a known type in its newest schema: that is a bug of the writer. */
  override async append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    for (const { type, metadata } of facts) {
      if (metadata.schema !== newestSchema(type, this.shapes)) {
        throw new Error(`facts "${type}" of schema ${metadata.schema} are not among those that are written`);
      }
    }
    return this.store.append(stream, expected, facts);
  }

  override async *readStream(stream: string, options?: ReadStreamOptions): AsyncIterable<RecordedFact> {
    const inParts = options?.inParts === true;
    for await (const fact of this.store.readStream(stream, options)) {
      const today = inTodaysShape(fact, this.shapes);
      yield inParts || this.parts.count(today) === 0 ? today : await this.#whole(today);
    }
  }

  override readAll(options: { after: Position; batchSize?: number }): AsyncIterable<readonly RecordedFact[]> {
    return this.#inTodaysShape(this.store.readAll(options));
  }

  override subscribe(options: { after: Position; signal: AbortSignal }): AsyncIterable<readonly RecordedFact[]> {
    return this.#inTodaysShape(this.store.subscribe(options));
  }

  async *#inTodaysShape(
    batches: AsyncIterable<readonly RecordedFact[]>,
  ): AsyncGenerator<readonly RecordedFact[], void> {
    for await (const facts of batches) {
      const today = facts.map((fact) => inTodaysShape(fact, this.shapes));
      for (const [i, fact] of today.entries()) {
        if (this.parts.count(fact) > 0) today[i] = await this.#whole(fact);
      }
      yield today;
    }
  }

  /** Its parts may have been read long ago, or by another process: they are read again. */
  async #whole(fact: RecordedFact): Promise<RecordedFact> {
    const count = this.parts.count(fact);
    const parts: RecordedFact[] = [];
    const range = { from: Math.max(0, fact.revision - count), limit: count };
    for await (const part of this.store.readStream(fact.stream, range)) parts.push(inTodaysShape(part, this.shapes));
    return withParts(fact, parts, this.parts);
  }
}
