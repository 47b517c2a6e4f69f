import type { Stopwatch } from '#kernel/clock';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';

interface Failure {
  readonly times: number;
  /** By the stopwatch, in milliseconds. */
  readonly until: number;
}

const REMEMBERED = 50_000;
const FIRST_PAUSE_MS = 60_000;
const LONGEST_PAUSE_MS = 24 * 60 * 60_000;

/** What servers were asked for and did not have: each is asked for the same again ever more rarely. */
export class FailedAsks {
  readonly #failures = new LruCache<string, Failure>(REMEMBERED);

  constructor(private readonly stopwatch: Stopwatch) {}

  get numbers(): CacheNumbers {
    return this.#failures.numbers;
  }

  mayAsk(name: string): boolean {
    return (this.#failures.get(name)?.until ?? -Infinity) <= this.stopwatch.elapsed();
  }

  note(name: string): void {
    const times = (this.#failures.get(name)?.times ?? 0) + 1;
    const pause = Math.min(FIRST_PAUSE_MS * 4 ** (times - 1), LONGEST_PAUSE_MS);
    this.#failures.set(name, { times, until: this.stopwatch.elapsed() + pause });
  }

  forget(name: string): void {
    this.#failures.delete(name);
  }
}
