import { doublingPause } from '#kernel/doubling-pause';
import { setTimeout as delay } from 'node:timers/promises';
import type { RevisionConflict } from './event-store.js';
import { EventStoreUnavailable } from './event-store-errors.js';

const MOST = 100;
const LONGEST_PAUSE_MS = 50;

/** The races in a row that a writer has lost for a stream, to others that write it too. */
export class LostRaces {
  #count = 0;

  /**
   * Counts one more, and waits before the next try: not after the first, then for a moment that chance decides, or two writers
   * would go on getting in each other's way. Throws EventStoreUnavailable after a hundred, some seconds: who asked may come
   * back later.
   */
  async endure(conflict: RevisionConflict): Promise<void> {
    if (++this.#count >= MOST) {
      const reason = `${conflict.stream} is written by others without pause`;
      throw new EventStoreUnavailable(reason, { cause: conflict });
    }
    const longest = doublingPause(this.#count, 1, LONGEST_PAUSE_MS);
    if (this.#count > 1) await delay(Math.random() * longest);
  }
}
