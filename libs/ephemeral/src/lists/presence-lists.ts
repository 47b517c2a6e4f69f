import { Inject, Injectable } from '@nestjs/common';
import { ACCOUNTS } from '#accounts/projections/accounts.projector';
import { readIgnoredUsers } from '#accounts/queries/ignored-users';
import { Aggregates, type Cause, type Executed } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import { serverNameOf, type UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { VIEWS, type Views } from '#projections/views';
import {
  endAll,
  evolveRelations,
  hasNoRoomFor,
  noteAccepted,
  noteAsked,
  noteAskedInVain,
  noteDropped,
  noteRefused,
} from '../decide/decide-subscriptions.js';
import { Relations } from '../decide/relations.js';
import {
  draftSubscription,
  findOverSubscriptions,
  keyOfSubscriptionFact,
  NO_GROUPS,
  type SubscriptionFact,
  subscriptionsStream,
} from '../facts/subscription-facts.js';
import { PRESENCE_LISTS } from '../projections/presence-lists.projector.js';

/** What the other of two users has done, which the one is to hear. */
export interface ToldByOther {
  readonly what: 'asked' | 'accepted' | 'refused' | 'dropped';
  /** Which asking it is about, where that is known. */
  readonly ask?: number;
}

const CAPACITY = 2_000;
const NOTES = { asked: noteAsked, accepted: noteAccepted, refused: noteRefused, dropped: noteDropped } as const;

/** The write side of presence lists: a stream for each user of this server. */
@Injectable()
export class PresenceLists {
  readonly #streams: Aggregates<Relations>;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
  ) {
    this.#streams = new Aggregates<Relations>({
      store,
      clock,
      capacity: CAPACITY,
      initialState: Relations.none,
      evolve: evolveRelations,
      lastOfEach: keyOfSubscriptionFact,
      findOver: findOverSubscriptions,
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** Appends what `decide` answers, and settles once the views show it. Answers whether there was anything. Throws what it throws. */
  change(
    userId: UserId,
    decide: (relations: Relations) => readonly SubscriptionFact[],
    cause: Cause,
  ): Promise<boolean> {
    const drafts = (relations: Relations): FactDraft[] => decide(relations).map(draftSubscription);
    return this.#whenShown(this.#streams.execute(subscriptionsStream(userId), drafts, cause));
  }

  /**
   * Notes what another user has done, of this server or of another. Who is ignored asks in vain, and does not hear that. Answers
   * whether there is such an account, with room for who asks: of one that is closed, or never was, nothing is noted.
   */
  async note(userId: UserId, { what, ask }: ToldByOther, other: UserId, cause: Cause): Promise<boolean> {
    const account = await ACCOUNTS.get(this.views, [userId]);
    if (account === undefined || account.deactivated === true) return false;
    if (what === 'asked' && (await readIgnoredUsers(this.views, userId)).has(other)) {
      await this.change(userId, (relations) => noteAskedInVain(relations, other, ask), cause);
      return true;
    }
    let isRefused = false;
    const decide = (relations: Relations): SubscriptionFact[] => {
      isRefused = what === 'asked' && hasNoRoomFor(relations, other, serverNameOf(other) === serverNameOf(userId));
      return isRefused ? [] : NOTES[what](relations, other, ask);
    };
    await this.change(userId, decide, cause);
    return !isRefused;
  }

  /** Ends all of a user's relations, whose account is closed; what they called their groups goes from the log. Answers whether there were any. */
  async end(userId: UserId, cause: Cause): Promise<boolean> {
    const stream = subscriptionsStream(userId);
    const drafts = (relations: Relations): FactDraft[] => endAll(relations, this.clock.now()).map(draftSubscription);
    const hadAny = await this.#whenShown(this.#streams.executeLast(stream, drafts, cause));
    for await (const { revision, metadata } of this.store.readStream(stream)) {
      if (metadata.erasable !== undefined && metadata.erased === undefined)
        await this.store.erase(stream, revision, NO_GROUPS);
    }
    return hadAny;
  }

  async #whenShown(change: Promise<Executed<Relations>>): Promise<boolean> {
    const { position, facts } = await change;
    if (facts.length > 0) await this.views.whenProcessed(position, [PRESENCE_LISTS.name]);
    return facts.length > 0;
  }
}
