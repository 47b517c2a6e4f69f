/**
 * Runs a task for each key once at a time: who asks for the same while it is under way is answered by that run (unlike `SharedRuns`, of
 * which each gets one that began after they asked).
 */
export class RunsUnderWay<K, T> {
  readonly #underWay = new Map<K, Promise<T>>();

  /** Answers what the run of this key does, or throws what that throws. */
  run(key: K, task: () => Promise<T>): Promise<T> {
    const known = this.#underWay.get(key);
    if (known !== undefined) return known;
    const running = task().finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, running);
    return running;
  }
}
