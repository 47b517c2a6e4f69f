import { doublingPause } from '#kernel/doubling-pause';
import type { ServerName } from '#kernel/ids';
import type { Stopwatch } from '#kernel/clock';
import { LruCache } from '#kernel/lru-cache';

/** For how long a server is left alone, and why. */
export interface LeftAlone {
  /** By the stopwatch. */
  readonly until: number;
  /** How many times in a row it did not answer. */
  readonly failures: number;
  readonly reason: string;
}

const FIRST_MS = 10_000;
const MOST_MS = 3_600_000;
/** How much longer or shorter each pause is by chance, so that not all servers come back to one at once. */
const SPREAD = 0.2;
/** How many servers are remembered. Who is forgotten is asked once more. */
const REMEMBERED = 20_000;

/** Which servers do not answer, and when each is asked again: after pauses that double up to an hour. */
export class BackOff {
  readonly #servers = new LruCache<ServerName, LeftAlone>(REMEMBERED);

  constructor(
    private readonly stopwatch: Stopwatch,
    private readonly random: () => number = Math.random,
  ) {}

  /** For metrics. */
  get numbers(): LruCache<ServerName, LeftAlone>['numbers'] {
    return this.#servers.numbers;
  }

  /** What is remembered of a server that has not answered since, also where it may be asked again. */
  find(server: ServerName): LeftAlone | undefined {
    return this.#servers.get(server);
  }

  /** For how many milliseconds a server is left alone; 0 where it may be asked. */
  remaining(server: ServerName): number {
    const known = this.#servers.get(server);
    return known === undefined ? 0 : Math.max(0, known.until - this.stopwatch.elapsed());
  }

  /** Notes that a server did not answer what was asked at `askedAt`. Requests that were under way together count once. */
  noteFailure(server: ServerName, askedAt: number, reason: string): void {
    const known = this.#servers.get(server);
    if (known !== undefined && askedAt < known.until) return;
    const failures = (known?.failures ?? 0) + 1;
    const pause = doublingPause(failures, FIRST_MS, MOST_MS) * (1 + SPREAD * (2 * this.random() - 1));
    this.#servers.set(server, { until: this.stopwatch.elapsed() + pause, failures, reason });
  }

  /** Notes that a server asked for a pause: it is there, and is asked again after that, or after an hour at most. */
  noteBusy(server: ServerName, pauseMs: number): void {
    const until = this.stopwatch.elapsed() + Math.min(MOST_MS, pauseMs);
    this.#servers.set(server, { until, failures: 0, reason: 'asks us to slow down' });
  }

  /** Notes that a server is there. */
  forget(server: ServerName): void {
    this.#servers.delete(server);
  }
}
