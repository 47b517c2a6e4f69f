/** What the metrics tell of a cache: hits, misses and evictions (entries that gave way to newer ones) since it was made. */
export interface CacheNumbers {
  readonly size: number;
  /** The most entries it holds. */
  readonly capacity: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
}

/** For entries that differ much in size: all together they are no heavier than `most`. */
export interface WeightBound<V> {
  readonly most: number;
  /** Asked when an entry is set: one that has grown since must be set anew. */
  readonly weigh: (value: V) => number;
}

/** A map that keeps the `capacity` entries used last, or as many as their weight allows. */
export class LruCache<K, V> {
  readonly #entries = new Map<K, V>();
  /** Filled where there is a bound. */
  readonly #weights = new Map<K, number>();
  #weight = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  constructor(
    readonly capacity: number,
    private readonly bound?: WeightBound<V>,
  ) {}

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

  /** Counts as no use of it: PERF, for who asks for thousands in a row. */
  peek(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    this.delete(key);
    this.#entries.set(key, value);
    if (this.bound !== undefined) this.#note(key, this.bound.weigh(value));
    while (this.#entries.size > this.capacity || this.#weight > (this.bound?.most ?? 0)) {
      this.delete(this.#entries.keys().next().value as K);
      this.#evictions++;
    }
  }

  delete(key: K): void {
    this.#entries.delete(key);
    if (this.bound !== undefined) this.#note(key, 0);
  }

  /** Counts as no use of them. */
  values(): Iterable<V> {
    return this.#entries.values();
  }

  clear(): void {
    this.#entries.clear();
    this.#weights.clear();
    this.#weight = 0;
  }

  #note(key: K, weight: number): void {
    this.#weight += weight - (this.#weights.get(key) ?? 0);
    if (weight === 0) this.#weights.delete(key);
    else this.#weights.set(key, weight);
  }

  get size(): number {
    return this.#entries.size;
  }

  get numbers(): CacheNumbers {
    const { size, capacity } = this;
    return { size, capacity, hits: this.#hits, misses: this.#misses, evictions: this.#evictions };
  }
}
