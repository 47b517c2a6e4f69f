import { Outage, type OutageWatch } from '#kernel/outage';
import { EventStoreUnavailable } from '../event-store-errors.js';
import { errorKind, isTransient, Patience, wordsOf } from './transient.js';

/** Readings and appends are lost and come back apart: they go through clients of their own, perhaps to different nodes. */
type Way = 'append' | 'read';

const REFUSED = 'it does not take the user and the password';
/** While the log is known to be lost: whoever waited for the one who found out need not wait as long again. */
const SHORT_PATIENCE_MS = 1000;

/** How long calls may take to be answered, and whether the server is lost: what they find out is told to all. */
export class Retries {
  readonly #outage: Outage<Way>;

  constructor(
    readonly patienceMs: number,
    private readonly signal: AbortSignal,
    watch: OutageWatch,
  ) {
    this.#outage = new Outage(watch);
  }

  /** The patience of one call; of who reads much a longer one. */
  patience(way: Way, limitMs?: number): Patience {
    const limit = this.#outage.isLost(way) ? Math.min(this.patienceMs, SHORT_PATIENCE_MS) : this.patienceMs;
    return new Patience(limitMs ?? limit, this.signal);
  }

  /** Tries a task until it succeeds. Throws what trying again cannot mend; EventStoreUnavailable after a time, and where we are refused. */
  async retry<T>(way: Way, task: (patience: Patience) => Promise<T>): Promise<T> {
    const patience = this.patience(way);
    for (;;) {
      try {
        const result = await task(patience);
        this.noteSuccess(way);
        return result;
      } catch (error) {
        await this.endure(way, patience, error);
      }
    }
  }

  /** Waits after a failure. Throws as `retry` does. */
  async endure(way: Way, patience: Patience, error: unknown): Promise<void> {
    try {
      await patience.endure(error);
    } catch (last) {
      if (errorKind(last) === 'access-denied') {
        this.#outage.noteLoss(way, REFUSED);
        throw new EventStoreUnavailable(REFUSED, { cause: last });
      }
      if (last instanceof EventStoreUnavailable) this.#outage.noteLoss(way, wordsOf(error));
      // An answer is one, also where it refuses.
      else if (!isTransient(error)) this.noteSuccess(way);
      throw last;
    }
  }

  noteSuccess(way: Way): void {
    this.#outage.noteSuccess(way);
  }
}
