/** What is there at once where nobody has to be waited for, and else a promise of it. `await` takes both. */
export type Answer<T> = T | Promise<T>;

/** Goes on with an answer as soon as it is there. PERF: at once where it is, for a promise costs more than most of what is done with it. */
export function whenThere<T, U>(answer: Answer<T>, use: (value: T) => Answer<U>): Answer<U> {
  return answer instanceof Promise ? answer.then(use) : use(answer);
}

/** Does something for each of some things, one after another. PERF: as `whenThere`. */
export function forEachInOrder<T>(things: readonly T[], use: (one: T) => Answer<void>): Answer<void> {
  for (let i = 0; i < things.length; i++) {
    const used = use(things[i]!);
    if (used instanceof Promise) return used.then(() => forEachInOrder(things.slice(i + 1), use));
  }
}
