import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';

const LIFETIME_MS = 60_000;
const CAPACITY = 1_000;

/** The nonces of registrations by shared secret: each good for one attempt within a minute, at most 1,000 at once. */
@Injectable()
export class RegistrationNonces {
  readonly #expiries = new LruCache<string, number>(CAPACITY);

  constructor(@Inject(CLOCK) private readonly stopwatch: Stopwatch) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#expiries.numbers;
  }

  /** A new nonce. */
  issue(): string {
    const nonce = randomBytes(32).toString('hex');
    this.#expiries.set(nonce, this.stopwatch.elapsed() + LIFETIME_MS);
    return nonce;
  }

  /** Whether the nonce was good. It is not afterwards. */
  take(nonce: string): boolean {
    const expiry = this.#expiries.get(nonce);
    this.#expiries.delete(nonce);
    return expiry !== undefined && expiry > this.stopwatch.elapsed();
  }
}
