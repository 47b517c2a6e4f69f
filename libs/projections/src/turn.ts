import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Steps } from '#kernel/steps';

/** How long work on facts may hold the event loop before requests get their turn. */
const TURN_MS = 4;
/** PERF: the clock is read once in so many facts. */
const FACTS_PER_LOOK = 16;

/** Measures one turn of the event loop in small steps of work. */
export class Turn {
  #since = performance.now();
  #steps = 0;

  /** `stepsPerLook`: how many steps of the work are so small that the clock need not be read after each. */
  constructor(private readonly stepsPerLook = FACTS_PER_LOOK) {}

  /** Whether the turn has lasted long enough. Called once a step. */
  isOver(): boolean {
    if (++this.#steps % this.stepsPerLook !== 0) return false;
    return performance.now() - this.#since > TURN_MS;
  }

  /** Lets everything else run, then starts the next turn. */
  async pass(): Promise<void> {
    await nextTurn();
    this.#since = performance.now();
  }
}

/** Does work while everything else has its turn, once that has waited for some milliseconds. PERF: what is done sooner waits for nothing. */
export async function inTurns<T>(steps: Steps<T>): Promise<T> {
  const turn = new Turn(1);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (turn.isOver()) await turn.pass();
  }
}
