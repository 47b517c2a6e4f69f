/** What the metrics tell of a cache: hits, misses and evictions (entries that gave way to newer ones) since it was made. */
export interface CacheNumbers {
  readonly size: number;
  /** The most entries it holds. */
  readonly capacity: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
}

/** A map that keeps the `capacity` entries used last. */
export class LruCache<K, V> {
  readonly #entries = new Map<K, V>();
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  constructor(readonly capacity: number) {}

  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) {
      this.#misses++;
      return undefined;
    }
    this.#hits++;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.capacity) return;
    this.#entries.delete(this.#entries.keys().next().value as K);
    this.#evictions++;
  }

  delete(key: K): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  get size(): number {
    return this.#entries.size;
  }

  get numbers(): CacheNumbers {
    const { size, capacity } = this;
    return { size, capacity, hits: this.#hits, misses: this.#misses, evictions: this.#evictions };
  }
}
