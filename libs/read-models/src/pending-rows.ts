import type { KeyRange } from './key-encoding.js';

/** What is written to one collection and not yet in the store below: encoded key -> value, `null` for a delete. */
export class PendingCollection {
  readonly values = new Map<string, string | null>();
  #deletes = 0;
  #sorted: string[] = [];
  /** PERF: keys not yet in `#sorted`. Nobody scans during a catch-up, so most keys never are sorted (`bench/replay.ts`). */
  #unsorted: string[] = [];

  set(key: string, value: string | null): void {
    const before = this.values.get(key);
    if (before === undefined) this.#unsorted.push(key);
    this.#deletes += Number(value === null) - Number(before === null);
    this.values.set(key, value);
  }

  /** All keys in order. To be read at once: the next write may change it. */
  sortedKeys(): readonly string[] {
    const added = this.#unsorted;
    if (added.length === 0) return this.#sorted;
    this.#unsorted = [];
    if (added.length <= 16) for (const key of added) this.#sorted.splice(lowerBound(this.#sorted, key), 0, key);
    // Without a comparator the order is that of UTF-16 units, which for byte strings is the order of the bytes.
    else this.#sorted = merged(this.#sorted, added.sort());
    return this.#sorted;
  }

  /** How many rows of the store below it hides at most, in a range: a row that is written anew takes the place of the older one. */
  countHidden({ from, to }: KeyRange): number {
    if (this.#deletes === 0) return 0;
    const keys = this.sortedKeys();
    return Math.min(this.#deletes, Math.max(0, lowerBound(keys, to) - lowerBound(keys, from)));
  }
}

/** Writes that readers see already and that the store below will get as one transaction. A later write of a key replaces the earlier. */
export class PendingRows {
  readonly collections = new Map<string, PendingCollection>();
  /** Rough measures of what it holds, for deciding when to hand it on. */
  rows = 0;
  characters = 0;

  set(collection: string, key: string, value: string | null): void {
    let pending = this.collections.get(collection);
    if (pending === undefined) {
      pending = new PendingCollection();
      this.collections.set(collection, pending);
    }
    pending.set(key, value);
    this.rows++;
    this.characters += key.length + (value?.length ?? 0);
  }

  /** The value that waits for this key: `null` where a delete waits, undefined where nothing does. */
  get(collection: string, key: string): string | null | undefined {
    return this.collections.get(collection)?.values.get(key);
  }
}

/** Two lists of keys in order as one. PERF: to sort both anew for each batch of a replay costs a twelfth of all work on a join (docs/performance.md). */
function merged(a: readonly string[], b: readonly string[]): string[] {
  const keys: string[] = [];
  let at = 0;
  for (const key of b) {
    while (at < a.length && a[at]! < key) keys.push(a[at++]!);
    keys.push(key);
  }
  while (at < a.length) keys.push(a[at++]!);
  return keys;
}

/** The index of the first key that is not below `key`. */
export function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
