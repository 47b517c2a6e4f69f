import type { Position } from '#kernel/position';

/**
 * The last position at which something happened to each of many things, as far as it is worth remembering: of a thing that
 * is not in it, nothing happened behind `floor`. Bounded: what was touched longest ago is forgotten first, and the floor
 * rises.
 */
export class LastTouched {
  /** In the order of touching, so the first is the oldest. */
  readonly #positions = new Map<string, Position>();
  /** Every touch in its order, of which the last of each thing counts. */
  #log: (readonly [position: Position, key: string])[] = [];
  #floor: Position;
  #newest: Position;

  constructor(
    floor: Position,
    private readonly capacity: number,
  ) {
    this.#floor = floor;
    this.#newest = floor;
  }

  get size(): number {
    return this.#positions.size;
  }

  /** Notes that something happened to a thing. Positions come in order. */
  touch(key: string, position: Position): void {
    this.#positions.delete(key);
    this.#positions.set(key, position);
    this.#log.push([position, key]);
    if (this.#log.length > 2 * this.#positions.size + 16)
      this.#log = this.#log.filter(([at, touched]) => this.#positions.get(touched) === at);
    if (position > this.#newest) this.#newest = position;
    if (this.#positions.size <= this.capacity) return;
    const [oldest, last] = this.#positions.entries().next().value as [string, Position];
    this.#positions.delete(oldest);
    if (last > this.#floor) this.#floor = last;
  }

  /**
   * Notes what was looked up for a thing of which nothing was remembered. `passed`: how far the rows were by then. Those that are not
   * at the floor yet, as where they are paused, may come to more that nobody notes.
   */
  learn(key: string, position: Position, passed: Position): void {
    if (passed < this.#floor || this.#positions.has(key) || this.#positions.size >= this.capacity) return;
    this.#positions.set(key, position);
  }

  /** Whether nothing happened to anything behind a position, as far as that is remembered. */
  isQuietSince(since: Position): boolean {
    return since >= this.#floor && since >= this.#newest;
  }

  /** Whether something happened to a thing behind a position; undefined where that has to be looked up. */
  hasHappenedSince(key: string, since: Position): boolean | undefined {
    const last = this.#positions.get(key);
    if (last !== undefined) return last > since;
    return since >= this.#floor ? false : undefined;
  }

  /**
   * The things to which something happened behind a position; undefined where that is not remembered, or was more often than `most`.
   * PERF: costs as much as happened since, and nothing for what did not.
   */
  keysSince(since: Position, most: number): ReadonlySet<string> | undefined {
    if (since < this.#floor) return undefined;
    const keys = new Set<string>();
    for (let i = this.#log.length - 1; i >= 0; i--) {
      const [position, key] = this.#log[i]!;
      if (position <= since) break;
      if (this.#log.length - i > most) return undefined;
      keys.add(key);
    }
    return keys;
  }
}
