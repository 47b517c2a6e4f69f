import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long work on facts may hold the event loop before requests get their turn. */
const TURN_MS = 4;
/** PERF: the clock is read once in so many facts. */
const FACTS_PER_LOOK = 16;

/** Measures one turn of the event loop in small steps of work. */
export class Turn {
  #since = performance.now();
  #steps = 0;

  /** Whether the turn has lasted long enough. Called once a step. */
  isOver(): boolean {
    if (++this.#steps % FACTS_PER_LOOK !== 0) return false;
    return performance.now() - this.#since > TURN_MS;
  }

  /** Lets everything else run, then starts the next turn. */
  async pass(): Promise<void> {
    await nextTurn();
    this.#since = performance.now();
  }
}
