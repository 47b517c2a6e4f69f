import type { UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';

/** A cache of what is known of tokens, by their hashes, in which all tokens of a user are forgotten at once. */
export class TokensOfUsers<T> {
  readonly #known: LruCache<string, T>;
  readonly #hashesOf = new Map<UserId, Set<string>>();
  #forgotten = 0;

  constructor(private readonly capacity: number) {
    this.#known = new LruCache(capacity);
  }

  get numbers(): CacheNumbers {
    return this.#known.numbers;
  }

  get(hash: string): T | undefined {
    return this.#known.get(hash);
  }

  /** What is known of the tokens of a user. */
  listOf(userId: UserId): T[] {
    return [...(this.#hashesOf.get(userId) ?? [])].flatMap((hash) => this.#known.get(hash) ?? []);
  }

  /** Another one each time that anything is forgotten: to be asked for before what is to be remembered is read. */
  get epoch(): number {
    return this.#forgotten;
  }

  /** Remembers what was read of a token, unless something was forgotten since (`epoch`): it may be of before. Then the next request reads it again. */
  remember(hash: string, userId: UserId, known: T, epoch: number): void {
    if (epoch !== this.#forgotten) return;
    // Hashes that fell out of the cache stay in the index until their user is forgotten: start over before that piles up.
    if (this.#hashesOf.size > this.capacity) {
      this.#hashesOf.clear();
      this.#known.clear();
    }
    let hashes = this.#hashesOf.get(userId);
    if (hashes === undefined) this.#hashesOf.set(userId, (hashes = new Set()));
    hashes.add(hash);
    this.#known.set(hash, known);
  }

  forget(userId: UserId): void {
    this.#forgotten++;
    for (const hash of this.#hashesOf.get(userId) ?? []) this.#known.delete(hash);
    this.#hashesOf.delete(userId);
  }
}
