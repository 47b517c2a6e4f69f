/** Runs tasks of one key in order of arrival, tasks of different keys side by side. Keeps nothing of a key that is idle. */
export class KeyedQueue<K> {
  readonly #tails = new Map<K, Promise<unknown>>();

  /** Runs `task` after all earlier tasks of `key` have settled; answers what it answers. */
  run<T>(key: K, task: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const mine = before === undefined ? task() : before.then(task, task);
    const settled = mine.then(
      () => {},
      () => {},
    );
    this.#tails.set(key, settled);
    void settled.then(() => {
      if (this.#tails.get(key) === settled) this.#tails.delete(key);
    });
    return mine;
  }

  /** How many keys have work under way. */
  get size(): number {
    return this.#tails.size;
  }
}
