const SLOT_MS = 1_000;

/** When to look at whom again, to the second: so one timer does for everybody. Times are a stopwatch's. */
export class DueTimes<K> {
  readonly #slots = new Map<number, Set<K>>();
  readonly #slotOf = new Map<K, number>();

  get size(): number {
    return this.#slotOf.size;
  }

  /** Has a key looked at again at a time, and no more at the time that was set before; Infinity: not at all. */
  set(key: K, at: number): void {
    const slot = Math.ceil(at / SLOT_MS);
    if (this.#slotOf.get(key) === slot) return;
    this.delete(key);
    if (at === Infinity) return;
    this.#slotOf.set(key, slot);
    const keys = this.#slots.get(slot);
    if (keys === undefined) this.#slots.set(slot, new Set([key]));
    else keys.add(key);
  }

  delete(key: K): void {
    const slot = this.#slotOf.get(key);
    if (slot === undefined) return;
    this.#slotOf.delete(key);
    const keys = this.#slots.get(slot);
    keys?.delete(key);
    if (keys?.size === 0) this.#slots.delete(slot);
  }

  /** Takes out the keys that are due. */
  take(now: number): K[] {
    const due: K[] = [];
    for (const [slot, keys] of this.#slots) if (slot * SLOT_MS <= now) due.push(...keys);
    for (const key of due) this.delete(key);
    return due;
  }
}
