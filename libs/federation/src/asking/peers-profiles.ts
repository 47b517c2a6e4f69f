import { Inject, Injectable } from '@nestjs/common';
import type { RemoteProfiles } from '#accounts/remote-profiles';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { CacheNumbers } from '#kernel/lru-cache';
import { TimedCache } from '../discovery/timed-cache.js';
import { pathOf } from '../peers/path-of.js';
import { Peers } from '../peers/peers.js';

const KEEP_MS = 2 * 60_000;
const CAPACITY = 500;
const TIMEOUT_MS = 10_000;
/** A profile has 64 KiB at most: client-server API, "Profiles". */
const MAX_BYTES = 80 * 1024;
/** What is no text in these two is not there: servers write `null` for it. */
const TEXTS = ['displayname', 'avatar_url'] as const;

/** Profiles of users of other servers: server-server API, `GET /query/profile`. */
@Injectable()
export class PeersProfiles implements RemoteProfiles {
  readonly #kept: TimedCache<JsonObject>;

  constructor(
    private readonly peers: Peers,
    @Inject(CLOCK) stopwatch: Stopwatch,
  ) {
    this.#kept = new TimedCache(CAPACITY, stopwatch, async (userId) => [await this.#ask(userId as UserId), KEEP_MS]);
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#kept.numbers;
  }

  find(userId: UserId): Promise<JsonObject> {
    return this.#kept.get(userId);
  }

  async #ask(userId: UserId): Promise<JsonObject> {
    const path = pathOf('/_matrix/federation/v1/query/profile', {}, { user_id: userId });
    const request = { method: 'GET', path, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES } as const;
    const profile = { ...(await this.peers.ask(serverNameOf(userId), request)) };
    for (const key of TEXTS) if (typeof profile[key] !== 'string') delete profile[key];
    return profile;
  }
}
