/** How many of each key are under way. A key of which none is takes no memory. */
export class Counted<K> {
  readonly #counts = new Map<K, number>();

  /** Counts one more of a key, which is to `end`; answers false, and counts none, where there are as many as may be. */
  begin(key: K, most: number): boolean {
    const count = this.#counts.get(key) ?? 0;
    if (count >= most) return false;
    this.#counts.set(key, count + 1);
    return true;
  }

  end(key: K): void {
    const left = (this.#counts.get(key) ?? 0) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}
