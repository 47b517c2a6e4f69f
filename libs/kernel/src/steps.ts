import { setImmediate as nextTurn } from 'node:timers/promises';

/** Work that may rest after each step: what has others to give way to does it `inTurns`, what has none `atOnce`. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** How long, in milliseconds, work holds the event loop before everything else has its turn. */
const TURN_MS = 4;

/** Does work at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Does work while everything else has its turn, once that has waited for some milliseconds. PERF: what is done sooner waits for nothing. */
export async function inTurns<T>(steps: Steps<T>): Promise<T> {
  let since = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() - since < TURN_MS) continue;
    await nextTurn();
    since = performance.now();
  }
}

/** Work on each of some things, a step after each `count` of them. */
export function* each<T>(things: Iterable<T>, work: (one: T) => void, count = 16): Steps<void> {
  let done = 0;
  for (const one of things) {
    work(one);
    if (++done % count === 0) yield;
  }
}
