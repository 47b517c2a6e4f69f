import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { CONFIG, type Config } from '#config/config';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';

/** A token bucket: how many requests at once, and how many a second in the long run. */
export interface Bucket {
  readonly burst: number;
  readonly perSecond: number;
}

/**
 * The buckets by name: strict where passwords and accounts are at stake, moderate for what rooms receive, loose elsewhere. `federation`
 * counts the requests of another server, `unknown-server` those for which one must be asked that an address named, or signs as; `inviting`
 * the invitations of users here by another server, `inviting-user` those of one of them: what comes with each is kept, as is what is
 * told with a report. `call` counts the tokens for calls: for each a room is made that stays for minutes.
 */
export const BUCKETS = Object.freeze({
  registration: { burst: 5, perSecond: 0.2 },
  login: { burst: 10, perSecond: 0.2 },
  send: { burst: 100, perSecond: 20 },
  room: { burst: 30, perSecond: 3 },
  search: { burst: 30, perSecond: 5 },
  preview: { burst: 30, perSecond: 1 },
  report: { burst: 20, perSecond: 0.1 },
  call: { burst: 30, perSecond: 1 },
  federation: { burst: 500, perSecond: 100 },
  'unknown-server': { burst: 100, perSecond: 5 },
  inviting: { burst: 100, perSecond: 2 },
  'inviting-user': { burst: 30, perSecond: 0.1 },
  default: { burst: 300, perSecond: 100 },
}) satisfies Readonly<Record<string, Bucket>>;

export type BucketName = keyof typeof BUCKETS;

/** How many callers each bucket remembers. Who is forgotten starts with a full bucket: kind, and bounded. */
const MEMORY = 20_000;

interface Level {
  tokens: number;
  at: number;
}

/** Counts the requests of each caller (a user id, another server, or an address) in each bucket. */
@Injectable()
export class RateLimits {
  readonly #levels: Readonly<Record<BucketName, LruCache<string, Level>>> = {
    registration: new LruCache(MEMORY),
    login: new LruCache(MEMORY),
    send: new LruCache(MEMORY),
    room: new LruCache(MEMORY),
    search: new LruCache(MEMORY),
    preview: new LruCache(MEMORY),
    report: new LruCache(MEMORY),
    call: new LruCache(MEMORY),
    federation: new LruCache(MEMORY),
    'unknown-server': new LruCache(MEMORY),
    inviting: new LruCache(MEMORY),
    'inviting-user': new LruCache(MEMORY),
    default: new LruCache(MEMORY),
  };

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {}

  /** For metrics, by name. */
  get caches(): Readonly<Record<string, CacheNumbers>> {
    return Object.fromEntries(
      Object.entries(this.#levels).map(([name, levels]) => [`rate-limits-${name}`, levels.numbers]),
    );
  }

  /** As `take`, where there has to be one. Throws M_LIMIT_EXCEEDED. */
  check(name: BucketName, caller: string): void {
    const wait = this.take(name, caller);
    if (wait > 0) throw new MatrixError('M_LIMIT_EXCEEDED', undefined, { fields: { retry_after_ms: Math.ceil(wait) } });
  }

  /** Takes one request from the caller's bucket: 0 when there was one, else the milliseconds until there is. */
  take(name: BucketName, caller: string): number {
    if (!this.config.rateLimits) return 0;
    const bucket: Bucket = BUCKETS[name];
    const levels = this.#levels[name];
    const now = this.stopwatch.elapsed();
    const level = levels.get(caller) ?? { tokens: bucket.burst, at: now };
    level.tokens = Math.min(bucket.burst, level.tokens + ((now - level.at) * bucket.perSecond) / 1000);
    level.at = now;
    levels.set(caller, level);
    if (level.tokens < 1) return ((1 - level.tokens) * 1000) / bucket.perSecond;
    level.tokens -= 1;
    return 0;
  }
}
