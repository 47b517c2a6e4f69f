import { Injectable } from '@nestjs/common';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { Requester } from '#kernel/requester';
import { shortHash } from '#kernel/short-hash';

const CAPACITY = 10_000;
/** All answers together, in characters of JSON. */
const MOST_CHARACTERS = 16 * 1024 * 1024;
/** One longer than this would take the place of too many others. Only look-ups have such, and they may be made again. */
const MOST_OF_ONE = 256 * 1024;

interface Kept {
  readonly answer: Promise<object>;
  /** 0 as long as there is no answer. */
  readonly characters: number;
}

/**
 * What requests under a transaction id were answered: API v1 lets every POST be a PUT with such an id behind its path, "to
 * make requests idempotent". Kept in memory, as long as there is room: the events of a room have a memory of their own.
 */
@Injectable()
export class TransactionAnswers {
  readonly #answers = new LruCache<string, Kept>(CAPACITY, {
    most: MOST_CHARACTERS,
    weigh: ({ characters }) => characters,
  });

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#answers.numbers;
  }

  /** Runs a request, or answers what the same one was answered. A request that failed may be tried again. */
  once(requester: Requester, path: string, txnId: string | undefined, run: () => Promise<object>): Promise<object> {
    if (txnId === undefined) return run();
    const key = shortHash(JSON.stringify([requester.userId, requester.deviceId, path, txnId]));
    const known = this.#answers.get(key);
    if (known !== undefined) return known.answer;
    const kept = { answer: run(), characters: 0 };
    this.#answers.set(key, kept);
    kept.answer.then(
      (answer) => this.#weigh(key, kept, JSON.stringify(answer).length),
      () => this.#drop(key, kept),
    );
    return kept.answer;
  }

  /** Notes how much there is of an answer, now that it is there. */
  #weigh(key: string, kept: Kept, characters: number): void {
    if (characters > MOST_OF_ONE) this.#drop(key, kept);
    else if (this.#answers.peek(key) === kept) this.#answers.set(key, { ...kept, characters });
  }

  #drop(key: string, kept: Kept): void {
    if (this.#answers.peek(key) === kept) this.#answers.delete(key);
  }
}
