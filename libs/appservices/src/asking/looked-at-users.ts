import { Inject, Injectable } from '@nestjs/common';
import type { UsersOnDemand } from '#accounts/users-on-demand';
import { AppServices } from '#config/appservices/app-services';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { EntitiesOnDemand } from './entities-on-demand.js';

/** Of so many users it is remembered that they were asked for, for a minute. */
const CAPACITY = 10_000;
const REMEMBERED_MS = 60_000;
/** So many are asked for at once: services take seconds, and who looks need not even have an account. */
const MOST_AT_ONCE = 32;

/**
 * Users that services are asked for. Whoever invites one waits for it, whatever was answered before; of who is only looked at, which
 * everybody may do for as many as they like, no more is asked than a service can take.
 */
@Injectable()
export class LookedAtUsers implements UsersOnDemand {
  /** Until when they are not asked for again. */
  readonly #asked = new LruCache<UserId, number>(CAPACITY);
  readonly #running = new Map<UserId, Promise<void>>();

  constructor(
    private readonly entities: EntitiesOnDemand,
    services: AppServices,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {
    services.onReplaced(() => this.#asked.clear());
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#asked.numbers;
  }

  make(userId: UserId): Promise<void> {
    return this.entities.users.make(userId);
  }

  async makeForLook(userId: UserId): Promise<void> {
    const running = this.#running.get(userId);
    if (running !== undefined) return running;
    if ((this.#asked.get(userId) ?? 0) > this.stopwatch.elapsed() || this.#running.size >= MOST_AT_ONCE) return;
    const asking = this.make(userId).finally(() => {
      this.#running.delete(userId);
      this.#asked.set(userId, this.stopwatch.elapsed() + REMEMBERED_MS);
    });
    this.#running.set(userId, asking);
    await asking;
  }
}
