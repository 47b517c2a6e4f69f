import { Inject, Injectable } from '@nestjs/common';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact } from '#event-store/event-store';
import { draftOf } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { Requester } from '#kernel/requester';
import type { Position } from '#kernel/position';
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

/** Another process changed something of the user's threads while it was looked at. */
class ThreadsChanged extends Error {}

const CAPACITY = 2_000;

/** The write side of thread subscriptions: a stream for each user. How they stand to which thread is in the views. */
@Injectable()
export class ThreadSubscriptions {
  /** Where a user's stream ends, which is all of it that is kept in memory. */
  readonly #streams: Aggregates<number>;
  readonly #turns = new KeyedQueue<UserId>();

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
  ) {
    const fold = { initialState: -1, evolve: (_: number, _fact: NewFact, revision: number) => revision };
    this.#streams = new Aggregates({ store, clock, capacity: CAPACITY, ...fold, newestOnly: true });
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
    const over = draftOf({ type: 'thread-subscriptions-ended', data: {} });
    const whenShown = (position: Position): Promise<void> =>
      this.views.whenProcessed(position, [THREAD_SUBSCRIPTIONS.name]);
    return this.#turns.run(userId, () => this.#streams.end(threadsStream(userId), over, cause, whenShown));
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
      (revision) => {
        if (revision !== seen) throw new ThreadsChanged();
        return drafts;
      },
      contextOf(requester),
    );
    await this.views.whenProcessed(executed.position, [THREAD_SUBSCRIPTIONS.name]);
  }
}
