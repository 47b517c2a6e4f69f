import type { Stopwatch } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { LruCache } from '#kernel/lru-cache';
import { hostOf } from './fit-waiting.js';

/** Where for so long none of a host's events found its place, it is not waited for that they get fewer. */
const MOVES_WITHIN_MS = 5_000;
const HOSTS = 1_000;

interface HostPlaces {
  /** When the last of its events waited no more, by the stopwatch. */
  freedAt: number;
  /** Who waits for a place, first come first. */
  readonly waiters: Set<(isFree: boolean) => void>;
}

/** Tells who waits for it when of a host fewer events wait than before: each time one of those who wait. */
export class FreedPlaces {
  readonly #hosts = new LruCache<string, HostPlaces>(HOSTS);

  constructor(private readonly clock: Stopwatch) {}

  /** An event of a server waits no more. */
  free(origin: ServerName): void {
    const host = this.#hosts.get(hostOf(origin)) ?? { freedAt: 0, waiters: new Set() };
    this.#hosts.set(hostOf(origin), host);
    host.freedAt = this.clock.elapsed();
    const [first] = host.waiters;
    first?.(true);
  }

  /** Answers whether a place was freed for this caller, until a time of the stopwatch, and no longer than places are freed at all. */
  async next(origin: ServerName, until: number): Promise<boolean> {
    const host = this.#hosts.get(hostOf(origin));
    if (host === undefined) return false;
    return new Promise((resolve) => {
      const end = (isFree: boolean): void => {
        clearTimeout(timer);
        host.waiters.delete(end);
        resolve(isFree);
      };
      const look = (): void => {
        const now = this.clock.elapsed();
        const left = Math.min(until, host.freedAt + MOVES_WITHIN_MS) - now;
        if (left <= 0) end(false);
        else timer = setTimeout(look, left).unref();
      };
      let timer: NodeJS.Timeout | undefined;
      host.waiters.add(end);
      look();
    });
  }

  /** Nobody waits any longer. */
  close(): void {
    for (const { waiters } of this.#hosts.values()) for (const end of waiters) end(false);
  }
}
