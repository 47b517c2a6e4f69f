import { Injectable } from '@nestjs/common';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { Requester } from '#kernel/requester';

const CAPACITY = 10_000;

/**
 * What requests under a transaction id were answered: API v1 lets every POST be a PUT with such an id behind its path, "to
 * make requests idempotent". Kept in memory, as long as there is room: the events of a room have a memory of their own.
 */
@Injectable()
export class TransactionAnswers {
  readonly #answers = new LruCache<string, Promise<object>>(CAPACITY);

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#answers.numbers;
  }

  /** Runs a request, or answers what the same one was answered. A request that failed may be tried again. */
  once(requester: Requester, path: string, txnId: string | undefined, run: () => Promise<object>): Promise<object> {
    if (txnId === undefined) return run();
    const key = JSON.stringify([requester.userId, requester.deviceId, path, txnId]);
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = run();
    this.#answers.set(key, answer);
    answer.catch(() => this.#answers.delete(key));
    return answer;
  }
}
