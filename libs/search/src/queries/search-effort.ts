import { Turn } from '#projections/turn';

/** What it costs to find out whether the reader is shown an event. */
const OF_EVENT = 8;

/**
 * What one search takes of the server: it lets everything else have its turn after some milliseconds, and has an end, after which the answer
 * is what was found until then. Counted in texts that are looked at.
 */
export class SearchEffort {
  readonly #turn = new Turn(1);

  constructor(private left: number) {}

  get isSpent(): boolean {
    return this.left <= 0;
  }

  /** Notes that so many texts were looked at, or rows of words. Awaited by who did it: others may be waiting for their turn. */
  async spend(texts: number): Promise<void> {
    this.left -= texts;
    if (this.#turn.isOver()) await this.#turn.pass();
  }

  /** As much for events that may be shown. */
  spendOnEvents(events: number): Promise<void> {
    return this.spend(events * OF_EVENT);
  }
}
