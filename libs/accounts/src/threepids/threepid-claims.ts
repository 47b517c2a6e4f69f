import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type ExpectedRevision, type NewFact } from '#event-store/event-store';
import { GivenUpClaims } from '#event-store/given-up';
import { KeyedNames } from '#event-store/keyed-names';
import type { FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock, type Stopwatch } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
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

  /**
   * Makes it this account's, for the caller to add it there (`Accounts.changeWithClaims`). An account that has it not says so anew, whatever it said before: so who lets go
   * of what was its leaves it. Answers as of where in the log it is; undefined where it was this account's already: it may be about to be added by somebody else too, who
   * counts on that. Throws M_THREEPID_IN_USE, and as `#ownerBefore`.
   */
  async claim(threepid: Threepid, userId: UserId): Promise<Position | undefined> {
    const stream = threepidStream(this.names, threepid);
    const { state, revision: known } = await this.#streams.load(stream);
    const owner = await this.#ownerBefore(threepid);
    if (owner !== undefined && owner !== userId) throw new MatrixError('M_THREEPID_IN_USE');
    const isFree = state !== undefined && state !== userId && (await this.#isAbandoned(threepid, state));
    const isTheirs = await this.#has(userId, threepid);
    let before: Holder;
    const facts = (holder: Holder, revision: ExpectedRevision): readonly ThreepidFact[] => {
      before = holder;
      if (holder === userId && isTheirs) return [];
      // Who let it go may have claimed it anew.
      const mayHave = holder === undefined || holder === userId || (isFree && revision === known);
      if (!mayHave) throw new MatrixError('M_THREEPID_IN_USE');
      return [{ type: 'threepid-claimed', data: { user_id: userId } }];
    };
    const { position } = await this.#streams.execute(
      stream,
      (holder, _, revision) => draftFacts(facts(holder, revision)),
      BY_SERVER,
    );
    return before === userId ? undefined : position;
  }

  /**
   * Lets it go where it is this account's, as it was at a position of the log: of its claim, where what that was for has failed, or of where the account lost it. Nothing
   * where the account has it by now, or has claimed it after that: it may be open again, and of two who do the same at once one may have failed.
   */
  async release(threepid: Threepid, userId: UserId, asOf: Position): Promise<void> {
    const stream = threepidStream(this.names, threepid);
    const { position, revision } = await this.#streams.load(stream);
    if (position > asOf || (await this.#has(userId, threepid))) return;
    const decide = (holder: Holder, _: boolean, newest: ExpectedRevision): readonly FactDraft[] =>
      holder === userId && newest === revision
        ? [{ id: randomUUID(), type: 'threepid-released', data: '{}', schema: 2 }]
        : [];
    await this.#streams.execute(stream, decide, BY_SERVER);
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
