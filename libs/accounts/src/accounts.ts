import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import type { CacheNumbers } from '#kernel/lru-cache';
import { type Aggregate, Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type ExpectedRevision, RevisionConflict } from '#event-store/event-store';
import { LostRaces } from '#event-store/lost-races';
import type { FactDraft } from '#event-store/seal-facts';
import { VIEWS, type Views } from '#projections/views';
import { READ_MODEL_STORE, type ReadModelStore } from '#read-models/read-model-store';
import { streamSnapshots } from '#read-models/stream-snapshots';
import { type Account, NO_ACCOUNT } from './decide/account.js';
import { accountSnapshots } from './decide/account-snapshot.js';
import { foldAccountFact } from './decide/fold-facts.js';
import { userStream } from '#kernel/user-stream';
import type { AccountFact } from './facts/account-facts.js';
import { ACCOUNT_DATA } from './projections/account-data-row.js';
import { ACCOUNTS } from './projections/accounts.projector.js';
import { TOKENS } from './projections/devices.projector.js';
import { EXTERNAL_IDS } from './projections/external-ids.projector.js';
import { PROFILES } from './projections/profiles.projector.js';
import { UPSTREAM_SESSIONS } from './projections/upstream-sessions.projector.js';
import { THREEPIDS } from './projections/threepids.projector.js';
import { textOfFact } from './facts/erasable-parts.js';

/** Facts as they are handed to the log, under ids of their own: no account command is told apart from its repetition. */
export function draftFacts(facts: readonly { readonly type: string; readonly data: unknown }[]): FactDraft[] {
  return facts.map(({ type, data }) => ({ id: randomUUID(), type, ...textOfFact(type, data) }));
}

/** Who causes the facts of a request. */
export function causeOf(requester: Requester): Cause {
  return { actor: requester.userId, device: requester.deviceId, correlation: requester.requestId };
}

/** The cause of what no user asked for. */
export const BY_SERVER: Cause = Object.freeze({ actor: 'server' });

/** Whoever changes an account waits for these: one collection of each projector that shows it. */
const SHOWN = [ACCOUNTS, TOKENS, PROFILES, ACCOUNT_DATA, THREEPIDS, EXTERNAL_IDS, UPSTREAM_SESSIONS].map(
  ({ name }) => name,
);

/** How many accounts stay folded in memory. */
const CAPACITY = 10_000;

/** The write side of accounts: decides upon the newest state of a user's stream and appends. */
@Injectable()
export class Accounts {
  readonly #aggregates: Aggregates<Account>;

  /** Where no projection runs beside it (the command line), `views` may settle at once, and nothing is kept beside the log. */
  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenProcessed'>,
    @Inject(READ_MODEL_STORE) readModels?: ReadModelStore,
  ) {
    this.#aggregates = new Aggregates({
      store,
      clock,
      capacity: CAPACITY,
      initialState: NO_ACCOUNT,
      evolve: foldAccountFact,
      snapshots: readModels && { store: streamSnapshots(readModels, 'account'), codec: accountSnapshots },
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#aggregates.numbers;
  }

  /** The account as the log has it; NO_ACCOUNT where nobody registered the user id. */
  async load(userId: UserId): Promise<Account> {
    return (await this.look(userId)).state;
  }

  /** As `load`, with where the last fact is that it is of. */
  look(userId: UserId): Promise<Pick<Aggregate<Account>, 'state' | 'revision' | 'position'>> {
    return this.#aggregates.load(userStream(userId));
  }

  /**
   * Appends what `decide` answers, settles once the views show it, and answers whether anything was appended. Throws what
   * `decide` throws.
   */
  async change(userId: UserId, decide: DecideAccount, cause: Cause): Promise<Change> {
    const { position, facts } = await this.#aggregates.execute(
      userStream(userId),
      (account, _exists, revision) => draftFacts(decide(account, revision)),
      cause,
    );
    if (facts.length > 0) await this.views.whenProcessed(position, SHOWN);
    return { changed: facts.length > 0, position };
  }

  /**
   * As `change`, of what one account alone may have: `claim` makes it this one's elsewhere, once there is something to append. Where anything is said of the account before
   * that is appended all is done again: by what the account has lost meanwhile the claim may be free.
   */
  async changeWithClaims(
    userId: UserId,
    claim: (account: Account) => Promise<void>,
    decide: DecideAccount,
    cause: Cause,
  ): Promise<Change> {
    const races = new LostRaces();
    for (;;) {
      const { state, revision, position } = await this.look(userId);
      if (decide(state, revision).length === 0) return { changed: false, position };
      await claim(state);
      const decideAsClaimed: DecideAccount = (account, newest) => {
        if (newest !== revision) throw new RevisionConflict(userStream(userId), revision, newest);
        return decide(account, newest);
      };
      try {
        return await this.change(userId, decideAsClaimed, cause);
      } catch (error) {
        if (!(error instanceof RevisionConflict)) throw error;
        await races.endure(error);
      }
    }
  }
}

/** `revision`: of the last fact that the account is of. */
export type DecideAccount = (account: Account, revision: ExpectedRevision) => readonly AccountFact[];

export interface Change {
  readonly changed: boolean;
  readonly position: Position;
}
