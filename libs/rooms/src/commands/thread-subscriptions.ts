import { Inject, Injectable } from '@nestjs/common';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { draftOf } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { Requester } from '#kernel/requester';
import { awaitShown } from '#projections/await-shown';
import { VIEWS, type Views } from '#projections/views';
import { type ThreadOfRoom, type ThreadSubscriptionFact, threadsStream } from '../facts/thread-subscription-facts.js';
import { THREAD_SUBSCRIPTIONS, type ThreadSubscriptionRow } from '../projections/thread-subscriptions.projector.js';
import { contextOf } from '../worker/requester-context.js';

/** What is to become of a subscription, decided upon the views as of its user's last change, at a time. */
export type DecideOnThread = (
  before: ThreadSubscriptionRow | undefined,
  now: number,
) => Promise<readonly ThreadSubscriptionFact[]>;

/** Where a user's stream ends, which is all of it that is kept in memory. */
interface StreamEnd {
  readonly revision: number;
  /** The account is closed, and nothing is left. */
  readonly isEnded: boolean;
}

/** Another process changed something of the user's threads while it was looked at. */
class ThreadsChanged extends Error {}

const CAPACITY = 2_000;
const ENDED = 'thread-subscriptions-ended';

/** The write side of thread subscriptions: a stream for each user. How they stand to which thread is in the views. */
@Injectable()
export class ThreadSubscriptions {
  readonly #streams: Aggregates<StreamEnd>;
  readonly #turns = new KeyedQueue<UserId>();

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
  ) {
    this.#streams = new Aggregates<StreamEnd>({
      store,
      clock,
      capacity: CAPACITY,
      initialState: { revision: -1, isEnded: true },
      evolve: (_, { type }, revision) => ({ revision, isEnded: type === ENDED }),
      newestOnly: true,
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /**
   * Appends what `decide` answers of a thread, and settles once the views show it. Throws what it throws, and ViewsUnavailable where the
   * views do not show what was decided before.
   */
  change(requester: Requester, thread: ThreadOfRoom, decide: DecideOnThread): Promise<void> {
    return this.#turns.run(requester.userId, async () => {
      for (;;) {
        try {
          return await this.#change(requester, thread, decide);
        } catch (error) {
          if (!(error instanceof ThreadsChanged)) throw error;
        }
      }
    });
  }

  /** Lets go of all subscriptions of a user, whose account is closed. Answers whether there were any. */
  end(userId: UserId, cause: Cause): Promise<boolean> {
    return this.#turns.run(userId, async () => {
      const ended = draftOf({ type: ENDED, data: {} });
      const { facts, revision, position } = await this.#streams.execute(
        threadsStream(userId),
        ({ isEnded }) => (isEnded ? [] : [ended]),
        cause,
      );
      if (typeof revision === 'number') await this.store.truncate(threadsStream(userId), revision);
      if (facts.length > 0) await this.views.whenProcessed(position, [THREAD_SUBSCRIPTIONS.name]);
      return facts.length > 0;
    });
  }

  async #change(requester: Requester, thread: ThreadOfRoom, decide: DecideOnThread): Promise<void> {
    const stream = threadsStream(requester.userId);
    const { state: seen, position } = await this.#streams.load(stream);
    await awaitShown(this.views, THREAD_SUBSCRIPTIONS.name, position, 'the list of threads');
    const before = await THREAD_SUBSCRIPTIONS.get(this.views, [requester.userId, thread.room_id, thread.root]);
    const drafts = (await decide(before, this.clock.now())).map(draftOf);
    await this.views.confirm();
    if (drafts.length === 0) return;
    const executed = await this.#streams.execute(
      stream,
      ({ revision }) => {
        if (revision !== seen.revision) throw new ThreadsChanged();
        return drafts;
      },
      contextOf(requester),
    );
    await this.views.whenProcessed(executed.position, [THREAD_SUBSCRIPTIONS.name]);
  }
}
