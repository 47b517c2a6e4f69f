/** What is there at once where nobody has to be waited for, and else a promise of it. `await` takes both. */
export type Answer<T> = T | Promise<T>;

/** Goes on with an answer as soon as it is there. PERF: at once where it is, for a promise costs more than most of what is done with it. */
export function whenThere<T, U>(answer: Answer<T>, use: (value: T) => Answer<U>): Answer<U> {
  return answer instanceof Promise ? answer.then(use) : use(answer);
}
