import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { Listener } from '#projections/listener';
import { VIEWS, type Views } from '#projections/views';
import {
  readSubscriptionFact,
  SUBSCRIPTIONS_STREAM_PREFIX,
  userIdOfSubscriptions,
} from '../facts/subscription-facts.js';
import { PRESENCE_SUBSCRIBERS } from '../projections/presence-lists.projector.js';

/** Who follows somebody's presence by their list, with permission. */
export interface Followers {
  /** Users of this server. */
  readonly here: ReadonlySet<UserId>;
  /** Other servers, of whose users somebody does. */
  readonly servers: ReadonlySet<ServerName>;
}

/** Somebody of this server follows another's presence from now on, or no more. */
export type SubscriberListener = (observed: UserId, observer: UserId, follows: boolean) => void;

const CAPACITY = 20_000;
const NOBODY: Followers = Object.freeze({ here: new Set<UserId>(), servers: new Set<ServerName>() });

/** Who follows whose presence by their list, with permission. */
@Injectable()
export class Subscribers implements Listener {
  readonly name = 'presence-subscribers';
  readonly reads = [PRESENCE_SUBSCRIBERS.name];
  /** PERF: it is asked for each change of a presence, and most are on nobody's list. */
  readonly #known = new LruCache<UserId, Followers>(CAPACITY);
  readonly #listeners = new Set<SubscriberListener>();
  /** How often anything changed: what was read before a change is not believed. */
  #changes = 0;

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#known.numbers;
  }

  /** Who follows somebody. */
  of(observed: UserId): Followers | Promise<Followers> {
    return this.#known.get(observed) ?? this.#read(observed);
  }

  /** Whether one may follow another. */
  async follows(observer: UserId, observed: UserId): Promise<boolean> {
    return PRESENCE_SUBSCRIBERS.has(this.views, [observed, observer]);
  }

  /** Calls the listener where somebody of this server follows another, or does no more. Answers how to end that. */
  onChange(listener: SubscriberListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  hear(facts: readonly RecordedFact[]): void {
    for (const fact of facts) if (fact.stream.startsWith(SUBSCRIPTIONS_STREAM_PREFIX)) this.#take(fact);
  }

  #take(fact: RecordedFact): void {
    const { type, data } = readSubscriptionFact(fact);
    const [owner, other] = [userIdOfSubscriptions(fact.stream), data.user_id];
    this.#changes++;
    for (const userId of [owner, other]) this.#known.delete(userId);
    if (type === 'subscription-accepted') this.#tell(other, owner, true);
    if (type === 'subscription-ended') this.#tell(other, owner, false);
    if (type === 'watcher-ended') this.#tell(owner, other, false);
  }

  #tell(observed: UserId, observer: UserId, follows: boolean): void {
    for (const listener of this.#listeners) listener(observed, observer, follows);
  }

  async #read(observed: UserId): Promise<Followers> {
    const before = this.#changes;
    const [here, servers] = [new Set<UserId>(), new Set<ServerName>()];
    for await (const page of PRESENCE_SUBSCRIBERS.pages(this.views, { prefix: [observed] })) {
      for (const { key } of page) {
        const server = serverNameOf(key[1]);
        if (server === this.config.serverName) here.add(key[1]);
        else servers.add(server);
      }
    }
    const found = here.size === 0 && servers.size === 0 ? NOBODY : { here, servers };
    if (this.#changes === before) this.#known.set(observed, found);
    return found;
  }
}
