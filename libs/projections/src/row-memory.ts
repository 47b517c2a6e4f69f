import type { LogHistory } from '#event-store/log-history';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { START } from '#kernel/position';
import { encodeKeyToFind } from '#read-models/key-encoding';
import type { Key } from '#read-models/read-model-store';

interface Remembered {
  readonly value: unknown;
  readonly weight: number;
}

/** What all values may weigh together: some ten megabytes, where one is a short text or two. */
const MOST = 50_000;
const MOST_VALUES = 4_096;

/**
 * What was made of rows that are never written again, kept in memory. Known by the stored collection, of which each generation
 * and version is another, and by the history of the log, as of a log that was put back other rows may have the same key.
 */
export class RowMemory {
  readonly #values = new LruCache<string, Remembered>(MOST_VALUES, { most: MOST, weigh: ({ weight }) => weight });
  /** What was asked for once. PERF: most is asked for once alone, and to keep it costs more than to read it (bench/state-at.ts). */
  readonly #seen = new LruCache<string, true>(MOST_VALUES);

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#values.numbers;
  }

  find(stored: string, history: LogHistory, key: Key): unknown {
    return this.#values.get(nameOf(stored, history, key))?.value;
  }

  /** Keeps a value that is offered a second time. */
  set(stored: string, history: LogHistory, key: Key, value: unknown, weight: number): void {
    const name = nameOf(stored, history, key);
    if (this.#seen.get(name) === undefined) this.#seen.set(name, true);
    else this.#values.set(name, { value, weight });
  }
}

function nameOf(stored: string, history: LogHistory, key: Key): string {
  return `${stored} ${history.format(START)} ${encodeKeyToFind(key)}`;
}
