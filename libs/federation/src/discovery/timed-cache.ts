import type { Stopwatch } from '#kernel/clock';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { RunsUnderWay } from '#kernel/runs-under-way';

/** What is kept, since when, and until when it counts: by the stopwatch. */
export interface Timed<V> {
  readonly value: V;
  readonly since: number;
  readonly until: number;
}

/** What counts for a while and is fetched again afterwards; once for all who ask meanwhile. */
export class TimedCache<V> {
  readonly #kept: LruCache<string, Timed<V>>;
  readonly #underWay = new RunsUnderWay<string, V>();

  constructor(
    capacity: number,
    private readonly stopwatch: Stopwatch,
    /** Fetches the value of a key, and says for how many milliseconds it counts; `former` is what counted before. */
    private readonly load: (key: string, former: Timed<V> | undefined) => Promise<readonly [value: V, keepMs: number]>,
  ) {
    this.#kept = new LruCache(capacity);
  }

  get numbers(): CacheNumbers {
    return this.#kept.numbers;
  }

  get(key: string): Promise<V> {
    const kept = this.#kept.get(key);
    if (kept !== undefined && this.stopwatch.elapsed() < kept.until) return Promise.resolve(kept.value);
    return this.#underWay.run(key, () => this.#load(key, kept));
  }

  /** What is kept of a key counts no longer than this since it was fetched. */
  shorten(key: string, mostMs: number): void {
    const kept = this.#kept.get(key);
    if (kept !== undefined) this.#kept.set(key, { ...kept, until: Math.min(kept.until, kept.since + mostMs) });
  }

  async #load(key: string, former: Timed<V> | undefined): Promise<V> {
    const [value, keepMs] = await this.load(key, former);
    const since = this.stopwatch.elapsed();
    this.#kept.set(key, { value, since, until: since + keepMs });
    return value;
  }
}
