import type { Stopwatch } from '#kernel/clock';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';

interface Pause {
  readonly until: number;
  readonly ms: number;
}

/** Whom not to ask again yet. Who is forgotten may be asked. */
export class Pauses {
  readonly #pauses: LruCache<string, Pause>;

  constructor(
    private readonly stopwatch: Stopwatch,
    private readonly bounds: { readonly firstMs: number; readonly mostMs: number; readonly capacity: number },
  ) {
    this.#pauses = new LruCache(bounds.capacity);
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#pauses.numbers;
  }

  isOver(name: string): boolean {
    const pause = this.#pauses.get(name);
    return pause === undefined || pause.until <= this.stopwatch.elapsed();
  }

  /** Begins the shortest pause, or, where the last time was in vain too, one that is twice as long as the last. */
  begin(name: string, inVain: boolean): void {
    const { firstMs, mostMs } = this.bounds;
    const last = inVain ? this.#pauses.get(name)?.ms : undefined;
    const ms = last === undefined ? firstMs : Math.min(last * 2, mostMs);
    this.#pauses.set(name, { ms, until: this.stopwatch.elapsed() + ms });
  }
}
