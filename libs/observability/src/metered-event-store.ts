import type { Stopwatch } from '#kernel/clock';
import {
  type Appended,
  type EventStore,
  type ExpectedRevision,
  type NewFact,
  RevisionConflict,
} from '#event-store/event-store';
import { EventStoreUpon } from '#event-store/event-store-upon';
import { AppendTooLarge } from '#event-store/event-store-errors';
import type { Metrics } from './metrics.js';

/** The log as it is, counting what is appended and remembering when that last failed. */
export class MeteredEventStore extends EventStoreUpon {
  #failedAt: number | undefined;

  constructor(
    store: EventStore,
    private readonly metrics: Metrics,
    private readonly stopwatch: Stopwatch,
  ) {
    super(store);
  }

  /** When by the stopwatch the log last failed to take an append (a conflict or a refused size is no failure), if it has taken none since. */
  get failedAt(): number | undefined {
    return this.#failedAt;
  }

  override append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
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
}
