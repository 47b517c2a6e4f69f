import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { PAGES } from '../oauth-paths.js';

const LIFETIME_MS = 15 * 60 * 1000;
const CAPACITY = 10_000;

/**
 * Pages of ours to which browsers come back that are away at a provider. Their addresses are too long for what travels with such a browser. In
 * the memory of this process: where one is gone, its browser comes to the account page, signed in all the same.
 */
@Injectable()
export class Returns {
  readonly #pages = new LruCache<string, { readonly to: string; readonly endsAt: number }>(CAPACITY);

  constructor(@Inject(CLOCK) private readonly stopwatch: Stopwatch) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#pages.numbers;
  }

  /** Answers by which name the page is found again. */
  keep(to: string): string {
    const name = randomBytes(12).toString('base64url');
    this.#pages.set(name, { to, endsAt: this.stopwatch.elapsed() + LIFETIME_MS });
    return name;
  }

  find(name: string): string {
    const page = this.#pages.get(name);
    return page !== undefined && page.endsAt > this.stopwatch.elapsed() ? page.to : PAGES.account;
  }
}
