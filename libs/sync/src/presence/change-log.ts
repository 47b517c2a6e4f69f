import type { UserId } from '#kernel/ids';

/** Who changed, each once, by the numbers of their last changes, which only rise. */
export class ChangeLog {
  readonly #numbers = new Map<UserId, number>();
  /** In the order of their numbers. Some are overtaken. */
  #entries: (readonly [number: number, userId: UserId])[] = [];

  /** The number of the last change. */
  get last(): number {
    return this.#entries.at(-1)?.[0] ?? 0;
  }

  /** How many have changed. */
  get size(): number {
    return this.#numbers.size;
  }

  note(userId: UserId, number: number): void {
    this.#numbers.set(userId, number);
    this.#entries.push([number, userId]);
    if (this.#entries.length > 2 * this.#numbers.size + 16) this.#entries = this.#entries.filter(this.#counts);
  }

  delete(userId: UserId): void {
    this.#numbers.delete(userId);
  }

  /** Who changed behind a number up to another, those first who did last. PERF: looks at no more than what came behind it. */
  *between(after: number, upTo: number): Generator<UserId> {
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      const entry = this.#entries[i]!;
      if (entry[0] <= after) return;
      if (entry[0] <= upTo && this.#counts(entry)) yield entry[1];
    }
  }

  readonly #counts = ([number, userId]: readonly [number, UserId]): boolean => this.#numbers.get(userId) === number;
}
