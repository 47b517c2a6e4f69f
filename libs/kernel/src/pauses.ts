import type { Stopwatch } from './clock.js';
import { type CacheNumbers, LruCache } from './lru-cache.js';

interface Pause {
  /** By the stopwatch. */
  readonly until: number;
  readonly ms: number;
}

export interface PauseBounds {
  readonly firstMs: number;
  readonly mostMs: number;
  /** How many times as long each is as the one before; twice unless told. */
  readonly growth?: number;
  /** So many are remembered. */
  readonly capacity: number;
}

/** Whom not to ask again yet, or for what. What is forgotten may be asked. */
export class Pauses<N extends string = string> {
  readonly #pauses: LruCache<N, Pause>;

  constructor(
    private readonly stopwatch: Stopwatch,
    private readonly bounds: PauseBounds,
  ) {
    this.#pauses = new LruCache(bounds.capacity);
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#pauses.numbers;
  }

  isOver(name: N): boolean {
    const pause = this.#pauses.get(name);
    return pause === undefined || pause.until <= this.stopwatch.elapsed();
  }

  /** Begins the shortest pause. */
  begin(name: N): void {
    this.#begin(name, this.bounds.firstMs);
  }

  /** Begins a pause that is longer than the last, because it was in vain again. What was in vain during a pause was asked before it, and counts once. */
  lengthen(name: N): void {
    if (!this.isOver(name)) return;
    const { firstMs, mostMs, growth = 2 } = this.bounds;
    const last = this.#pauses.get(name)?.ms;
    this.#begin(name, last === undefined ? firstMs : Math.min(last * growth, mostMs));
  }

  end(name: N): void {
    this.#pauses.delete(name);
  }

  #begin(name: N, ms: number): void {
    this.#pauses.set(name, { ms, until: this.stopwatch.elapsed() + ms });
  }
}
