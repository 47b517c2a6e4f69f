import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { DONE_BY_THEN_MS, GivenUpClaims } from '#event-store/given-up';
import { KeyedNames } from '#event-store/keyed-names';
import type { FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock, type Stopwatch } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
import { getShown } from '#projections/await-shown';
import { VIEWS, type Views } from '#projections/views';
import { Accounts, BY_SERVER } from './accounts.js';
import type { Account } from './decide/account.js';
import {
  type Claim,
  decideLink,
  decideUnlink,
  evolveClaim,
  isLinked,
  mayLinkByName,
} from './decide/decide-external-ids.js';
import { type ExternalId, externalIdHash, externalIdStream } from './facts/external-id-facts.js';
import { EXTERNAL_ID_OWNERS } from './projections/external-ids.projector.js';

const CAPACITY = 1_000;

/** How somebody comes in without an account elsewhere: by a password of this server, and by others that they have at these providers. */
export interface OtherWays {
  readonly hasPassword: boolean;
  readonly providers: readonly string[];
}

/**
 * Whose accounts elsewhere are whose here. One of them is of one user at most: the log orders the claims of it, and the user's own stream
 * says whether that came to something, so that no write has to be in two streams at once.
 */
@Injectable()
export class ExternalIds {
  readonly #claims: Aggregates<Claim | undefined>;
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
    this.#claims = new Aggregates({ store, clock, capacity: CAPACITY, initialState: undefined, evolve: evolveClaim });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#claims.numbers;
  }

  /** Whose it is here, also where that account is closed by now; undefined where it is nobody's. As the log has it. Throws as `#ownerBefore`. */
  async find(id: ExternalId): Promise<UserId | undefined> {
    const idHash = externalIdHash(id);
    const userId = (await this.#claimOf(idHash))?.user_id ?? (await this.#ownerBefore(idHash));
    return userId !== undefined && (await this.#isOf(userId, id)) ? userId : undefined;
  }

  /** The providers at which a user has one, as the log has it. */
  async providersOf(userId: UserId): Promise<ReadonlySet<string>> {
    const { externalIds = [] } = await this.accounts.load(userId);
    return new Set(externalIds.map(({ provider }) => provider));
  }

  /**
   * Says that it is to be a user's, before that user says so too (`RegisterAccount` with `externalId`, `link`). Throws M_LIMIT_EXCEEDED while
   * the account of an earlier claim may be being made, M_FORBIDDEN where it is another user's; and as `find`. Who has it not says so anew, whatever they said
   * before: so who lets go of what was theirs leaves it.
   */
  async claim(id: ExternalId, userId: UserId, cause: Cause): Promise<void> {
    const idHash = externalIdHash(id);
    const stream = externalIdStream(this.names, idHash);
    const known = await this.#claimOf(idHash);
    const isOthers = known !== undefined && known.user_id !== userId;
    const claimant = known?.user_id ?? (await this.#ownerBefore(idHash));
    if (claimant !== undefined && claimant !== userId && (await this.#isOf(claimant, id)))
      throw new MatrixError('M_FORBIDDEN', 'This account is somebody else’s here');
    const isFree = !isOthers || this.#givenUp.has({ stream, revision: known.revision, metadata: { at: known.at } });
    const isTheirs = await this.#isOf(userId, id);
    const decide = (newest: Claim | undefined): FactDraft[] => {
      const isOwn = newest?.user_id === userId;
      if (isOwn && isTheirs) return [];
      if (!isOwn && (!isFree || newest?.revision !== known?.revision)) throw beingMade();
      return [{ id: randomUUID(), type: 'external-id-claimed', data: JSON.stringify({ user_id: userId }) }];
    };
    await this.#claims.execute(stream, decide, cause);
  }

  /** Claims it for an account that is there. Throws as `claim` and `decideLink`. */
  async link(id: ExternalId, userId: UserId, cause: Cause): Promise<void> {
    const claim = () => this.claim(id, userId, cause);
    await this.accounts.changeWithClaims(userId, claim, (account) => decideLink(account, id), cause);
  }

  /** As `link`, for no more than that the two have one name. Answers whether it is theirs then: not where `mayLinkByName` says no. */
  async linkByName(id: ExternalId, userId: UserId, cause: Cause): Promise<boolean> {
    const claim = () => this.claim(id, userId, cause);
    const decide = (account: Account): ReturnType<typeof decideLink> =>
      mayLinkByName(account, id.provider) ? decideLink(account, id) : [];
    await this.accounts.changeWithClaims(userId, claim, decide, cause);
    return this.#isOf(userId, id);
  }

  /** It is the user's no more, by its hash. Throws M_NOT_FOUND where it was not, and what `check` throws, of how else they come in. */
  async unlink(idHash: string, userId: UserId, cause: Cause, check: (others: OtherWays) => void): Promise<void> {
    const decide = (account: Account): ReturnType<typeof decideUnlink> => {
      if (!isLinked(account, idHash)) throw new MatrixError('M_NOT_FOUND', 'You do not sign in by that account');
      const others = (account.externalIds ?? []).filter((one) => one.id_hash !== idHash);
      check({ hasPassword: account.passwordHash !== undefined, providers: others.map(({ provider }) => provider) });
      return decideUnlink(account, idHash);
    };
    await this.accounts.change(userId, decide, cause);
  }

  /**
   * Lets the log forget that it was this user's, by its hash: nothing that stays says who that was, nor who asked for it. Nothing where anybody,
   * they too, has claimed it after they lost it, which was at `lostAt` in the log. Answers whether there was anything.
   */
  async release(idHash: string, userId: UserId, lostAt: Position): Promise<boolean> {
    const stream = externalIdStream(this.names, idHash);
    const last = await this.#claims.load(stream);
    const isAsItWas = last.position <= lostAt;
    const decide = (newest: Claim | undefined): FactDraft[] =>
      isAsItWas && newest?.user_id === userId && newest.revision === last.revision
        ? [{ id: randomUUID(), type: 'external-id-released', data: '{}' }]
        : [];
    const { state, revision, facts } = await this.#claims.execute(stream, decide, BY_SERVER);
    if (state === undefined && typeof revision === 'number') await this.store.truncate(stream, revision);
    return facts.length > 0;
  }

  async #isOf(userId: UserId, id: ExternalId): Promise<boolean> {
    return isLinked(await this.accounts.load(userId), externalIdHash(id));
  }

  async #claimOf(idHash: string): Promise<Claim | undefined> {
    return (await this.#claims.load(externalIdStream(this.names, idHash))).state;
  }

  /**
   * Whose it has been since before the key was lost by which it was named, if their account is open; undefined where it was claimed by the key of now. Throws
   * ViewsUnavailable where the views do not show that: whoever has it would come in as somebody new.
   */
  async #ownerBefore(idHash: string): Promise<UserId | undefined> {
    if (!this.names.areAnew) return undefined;
    const { revision } = await this.#claims.load(externalIdStream(this.names, idHash));
    return revision === 'no-stream' ? getShown(this.views, this.store, EXTERNAL_ID_OWNERS, [idHash]) : undefined;
  }
}

const beingMade = (): MatrixError =>
  new MatrixError('M_LIMIT_EXCEEDED', 'This account is being made: try again in a moment', {
    fields: { retry_after_ms: DONE_BY_THEN_MS },
  });
