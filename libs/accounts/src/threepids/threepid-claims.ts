import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact } from '#event-store/event-store';
import { GivenUpClaims } from '#event-store/given-up';
import { KeyedNames } from '#event-store/keyed-names';
import type { FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock, type Stopwatch } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import { getShown } from '#projections/await-shown';
import { VIEWS, type Views } from '#projections/views';
import { Accounts, BY_SERVER, draftFacts } from '../accounts.js';
import { type ThreepidClaimed, type ThreepidFact, threepidStream } from '../facts/threepid-facts.js';
import { THREEPID_OWNERS } from '../projections/threepids.projector.js';
import { type Threepid, threepidKey } from './threepid.js';

const CLAIMED: ThreepidFact['type'] = 'threepid-claimed';
const CAPACITY = 1_000;

/** Whose it is; undefined: nobody's. */
type Holder = UserId | undefined;

/** The account that has an identifier as of a fact of its stream. */
export function evolveHolder(_: Holder, { type, data }: Pick<NewFact, 'type' | 'data'>): Holder {
  return type === CLAIMED ? (JSON.parse(data) as ThreepidClaimed).user_id : undefined;
}

/** Which account an identifier is of: one at most, whatever the views know. It is claimed before the account gets it, and free once it has it no more. */
@Injectable()
export class ThreepidClaims {
  readonly #streams: Aggregates<Holder>;
  readonly #givenUp: GivenUpClaims;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) clock: Clock & Stopwatch,
    @Inject(CONFIG) config: Pick<Config, 'eventStoreUrl'>,
    private readonly accounts: Accounts,
    private readonly names: KeyedNames,
    @Inject(VIEWS) private readonly views: Pick<Views, 'get' | 'confirm' | 'position' | 'whenProcessed'>,
  ) {
    this.#givenUp = new GivenUpClaims(clock, config.eventStoreUrl !== undefined);
    this.#streams = new Aggregates<Holder>({
      store,
      clock,
      capacity: CAPACITY,
      initialState: undefined,
      evolve: evolveHolder,
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** Makes it this account's, for the caller to add it there. Throws M_THREEPID_IN_USE, and as `#ownerBefore`. */
  async claim(threepid: Threepid, userId: UserId): Promise<void> {
    const stream = threepidStream(this.names, threepid);
    const { state } = await this.#streams.load(stream);
    const before = await this.#ownerBefore(threepid);
    if (before !== undefined && before !== userId) throw new MatrixError('M_THREEPID_IN_USE');
    const free = state === undefined || state === userId || (await this.#isAbandoned(threepid, state)) ? state : null;
    const facts = (holder: Holder): readonly ThreepidFact[] => {
      if (holder === userId) return [];
      if (holder !== undefined && holder !== free) throw new MatrixError('M_THREEPID_IN_USE');
      return [{ type: 'threepid-claimed', data: { user_id: userId } }];
    };
    await this.#streams.execute(stream, (holder) => draftFacts(facts(holder)), BY_SERVER);
  }

  /** Lets it go where it is this account's. */
  async release(threepid: Threepid, userId: UserId): Promise<void> {
    const decide = (holder: Holder): readonly FactDraft[] =>
      holder === userId ? [{ id: randomUUID(), type: 'threepid-released', data: '{}', schema: 2 }] : [];
    await this.#streams.execute(threepidStream(this.names, threepid), decide, BY_SERVER);
  }

  /** As `release`, after what it was claimed for has failed: where the account has it by now, another of two who did the same at once has not. */
  async giveBack(threepid: Threepid, userId: UserId): Promise<void> {
    if (!(await this.#has(userId, threepid))) await this.release(threepid, userId);
  }

  /** Whose it is, asked of the log; undefined where the account that claimed it does not have it. Throws as `#ownerBefore`. */
  async findOwner(threepid: Threepid): Promise<UserId | undefined> {
    const { state } = await this.#streams.load(threepidStream(this.names, threepid));
    return state !== undefined && (await this.#has(state, threepid)) ? state : this.#ownerBefore(threepid);
  }

  /** Whether the account cannot be used for now, also where somebody shows whose it is. */
  async isLocked(userId: UserId): Promise<boolean> {
    return (await this.accounts.load(userId)).locked;
  }

  /**
   * Whose it has been since before the key was lost by which it was named; undefined where it was claimed by the key of now. Throws ViewsUnavailable where the
   * views do not show that.
   */
  async #ownerBefore(threepid: Threepid): Promise<UserId | undefined> {
    if (!this.names.areAnew) return undefined;
    const { revision } = await this.#streams.load(threepidStream(this.names, threepid));
    if (revision !== 'no-stream') return undefined;
    const owner = await getShown(this.views, this.store, THREEPID_OWNERS, [threepid.medium, threepid.address]);
    return owner !== undefined && (await this.#has(owner, threepid)) ? owner : undefined;
  }

  async #has(userId: UserId, threepid: Threepid): Promise<boolean> {
    const { deactivated, threepids } = await this.accounts.load(userId);
    return !deactivated && threepids.has(threepidKey(threepid));
  }

  /** It was claimed for an account that never got it, or that let it go: the server ended between. */
  async #isAbandoned(threepid: Threepid, holder: UserId): Promise<boolean> {
    if (await this.#has(holder, threepid)) return false;
    for await (const fact of this.store.readStream(threepidStream(this.names, threepid), {
      backwards: true,
      limit: 1,
    })) {
      return fact.type !== CLAIMED || this.#givenUp.has(fact);
    }
    return true;
  }
}
