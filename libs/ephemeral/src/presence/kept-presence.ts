import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { ACCOUNTS } from '#accounts/projections/accounts.projector';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact } from '#event-store/event-store';
import type { FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { CacheNumbers } from '#kernel/lru-cache';
import { VIEWS, type Views } from '#projections/views';
import { keptIn, type PresenceKept, presenceStream } from '../facts/presence-facts.js';
import { PRESENCE, PRESENT } from '../projections/presence.projector.js';

const CAPACITY = 1_000;
const NOTHING = '{}';
/** So many facts that others have overtaken stand in a stream at most. */
const FACTS_PER_TRUNCATION = 16;

/** What is kept of presence in the log, one fact for each user. */
@Injectable()
export class KeptPresence {
  /** The last fact's data. */
  readonly #streams: Aggregates<string>;
  readonly #turns = new KeyedQueue<UserId>();

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
  ) {
    const last = { initialState: NOTHING, evolve: (_: string, { data }: NewFact) => data, newestOnly: true } as const;
    this.#streams = new Aggregates({ store, clock, capacity: CAPACITY, ...last });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** What is kept of a user; undefined where there is no such account any more. */
  async find(userId: UserId): Promise<PresenceKept | undefined> {
    if (!(await this.#hasAccount(userId))) return undefined;
    const { pos: _, ...kept } = (await PRESENCE.get(this.views, [userId])) ?? { pos: undefined };
    return kept;
  }

  /** Whom others may believe to be there. */
  async *listPresent(): AsyncGenerator<UserId> {
    for await (const page of PRESENT.pages(this.views, {})) for (const { key } of page) yield key[0];
  }

  /** Keeps this of a user, durably, in the place of all that was kept before; nothing of an account that is closed. */
  keep(userId: UserId, kept: PresenceKept, cause: Cause): Promise<void> {
    return this.#turns.run(userId, async () => {
      if (await this.#hasAccount(userId)) await this.#write(userId, JSON.stringify(kept), cause);
    });
  }

  /** Keeps nothing of a user any more, whose account is closed. Answers whether there was anything. */
  end(userId: UserId, cause: Cause): Promise<boolean> {
    return this.#turns.run(userId, () => this.#write(userId, NOTHING, cause));
  }

  async #write(userId: UserId, data: string, cause: Cause): Promise<boolean> {
    const stream = presenceStream(userId);
    const draft = { id: randomUUID(), type: 'presence-kept', data, schema: 2 };
    let overtaken = NOTHING;
    const decide = (last: string): FactDraft[] => {
      overtaken = last;
      return last === data ? [] : [draft];
    };
    const { facts, revision, position } = await this.#streams.execute(stream, decide, cause);
    // What somebody wrote beside their presence is nobody's business once they have taken it back; the rest may wait.
    const isDue = data === NOTHING || keptIn({ data: overtaken }).status_msg !== undefined;
    if (typeof revision === 'number' && revision > 0 && (isDue || revision % FACTS_PER_TRUNCATION === 0)) {
      await this.store.truncate(stream, revision);
    }
    if (facts.length > 0) await this.views.whenProcessed(position, [PRESENCE.name]);
    return facts.length > 0;
  }

  async #hasAccount(userId: UserId): Promise<boolean> {
    const account = await ACCOUNTS.get(this.views, [userId]);
    return account !== undefined && account.deactivated !== true;
  }
}
