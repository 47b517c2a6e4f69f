import { Inject, Injectable } from '@nestjs/common';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { newestSchema } from '#event-store/fact-shapes';
import { draftOf, type FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import {
  PUSHER_SHAPES,
  type PusherFact,
  type PusherName,
  type PusherSet,
  pushersStream,
} from './facts/pusher-facts.js';
import { foldPusherFact, type KnownPushers, NO_PUSHERS, pusherKey } from './pushers/known-pushers.js';
import { PUSHERS } from './projections/pushers.projector.js';

const CAPACITY = 2_000;
const ENDED = 'pushers-ended';

/** The write side of pushers: a stream for each user, which is kept short. */
@Injectable()
export class Pushers {
  readonly #streams: Aggregates<KnownPushers>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenProcessed'>,
  ) {
    const fold = { initialState: NO_PUSHERS, evolve: foldPusherFact };
    this.#streams = new Aggregates({ store, clock, capacity: CAPACITY, ...fold, lastOfEach: nameOfFact });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** A pusher of a user's, by the log. */
  async find(userId: UserId, name: PusherName): Promise<PusherSet | undefined> {
    return (await this.all(userId)).get(pusherKey(name));
  }

  /** All of a user's, by the log. */
  async all(userId: UserId): Promise<KnownPushers> {
    return (await this.#streams.load(pushersStream(userId))).state;
  }

  /** Appends what `decide` answers, settles once the views show it, and answers whether it was anything. Throws what it throws. */
  async change(
    userId: UserId,
    cause: Cause,
    decide: (pushers: KnownPushers, now: number) => readonly PusherFact[],
  ): Promise<boolean> {
    const { position, facts } = await this.#streams.execute(
      pushersStream(userId),
      (pushers) => decide(pushers, this.clock.now()).map(draftInSchema),
      cause,
    );
    if (facts.length > 0) await this.views.whenProcessed(position, [PUSHERS.name]);
    return facts.length > 0;
  }

  /** Lets go of all pushers of a user, whose account is closed. Answers whether there was anything of them. */
  end(userId: UserId, cause: Cause): Promise<boolean> {
    const whenShown = (position: Position): Promise<void> => this.views.whenProcessed(position, [PUSHERS.name]);
    return this.#streams.end(pushersStream(userId), draftOf({ type: ENDED, data: {} }), cause, whenShown);
  }
}

function draftInSchema(fact: PusherFact): FactDraft {
  return { ...draftOf(fact), schema: newestSchema(fact.type, PUSHER_SHAPES) };
}

function nameOfFact({ type, data }: Pick<RecordedFact, 'type' | 'data'>): string {
  return type === ENDED ? '' : pusherKey(JSON.parse(data) as PusherName);
}
