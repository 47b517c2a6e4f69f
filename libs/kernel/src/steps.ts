/** Work that may rest after each step: what has others to give way to does it `inTurns`, what has none `atOnce`. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Does work at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
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
