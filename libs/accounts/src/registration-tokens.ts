import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock, type Stopwatch } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { CacheNumbers } from '#kernel/lru-cache';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type ExpectedRevision, RevisionConflict } from '#event-store/event-store';
import { GivenUpClaims } from '#event-store/given-up';
import { LostRaces } from '#event-store/lost-races';
import { VIEWS, type Views } from '#projections/views';
import { BY_SERVER, draftFacts } from './accounts.js';
import {
  NO_REGISTRATION_TOKEN,
  type RegistrationToken,
  decideTokenChange,
  decideTokenCreation,
  decideTokenReturn,
  decideTokenRevocation,
  decideTokenUse,
  isUsable,
  limitsAfter,
} from './decide/registration-token.js';
import { userStream } from '#kernel/user-stream';
import { foldRegistrationTokenFact } from './decide/fold-facts.js';
import {
  type LimitChange,
  type RegistrationTokenCreated,
  type RegistrationTokenFact,
  type RegistrationTokenReturned,
  type RegistrationTokenUsed,
  registrationTokenStream,
} from './facts/registration-token-facts.js';
import { hashSecret } from './credentials/secrets.js';

const CAPACITY = 1_000;
/** How many facts of a token that is used up are looked through for uses that came to nothing. */
const MOST_LOOKED_AT = 64;

/** The write side of registration tokens. Tokens come in as their own text and go on as hashes. */
@Injectable()
export class RegistrationTokens {
  readonly #aggregates: Aggregates<RegistrationToken>;
  readonly #givenUp: GivenUpClaims;
  /** By token: what came to nothing is given back once. */
  readonly #turns = new KeyedQueue<string>();

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock & Stopwatch,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenProcessed'>,
    @Inject(CONFIG) config: Pick<Config, 'eventStoreUrl'>,
  ) {
    this.#givenUp = new GivenUpClaims(clock, config.eventStoreUrl !== undefined);
    const fold = { initialState: NO_REGISTRATION_TOKEN, evolve: foldRegistrationTokenFact };
    this.#aggregates = new Aggregates({ store, clock, capacity: CAPACITY, ...fold });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#aggregates.numbers;
  }

  /** Whether a registration with the token would be let through now. */
  async isUsable(token: string): Promise<boolean> {
    await this.#giveBackAbandoned(token);
    const { state } = await this.#aggregates.load(registrationTokenStream(hashSecret(token)));
    return isUsable(state, this.clock.now());
  }

  /** Makes a token valid. Throws M_INVALID_PARAM where it exists. */
  create(token: string, creation: RegistrationTokenCreated, cause: Cause): Promise<void> {
    return this.#change(token, (state) => decideTokenCreation(state, creation, this.clock.now()), cause);
  }

  /** Takes one use for the user id. Throws M_FORBIDDEN where there is none left. */
  async use(token: string, userId: UserId): Promise<void> {
    await this.#giveBackAbandoned(token);
    return this.#change(token, (state) => decideTokenUse(state, userId, this.clock.now()), BY_SERVER);
  }

  /**
   * Gives the use back that a failed registration took. Nothing where that was given back before, as by another process, or was of a token of the same text that was withdrawn
   * since: it is looked whose uses there are, and again where anything came meanwhile.
   */
  async giveBack(token: string, userId: UserId): Promise<void> {
    const stream = registrationTokenStream(hashSecret(token));
    const races = new LostRaces();
    for (;;) {
      const { revision } = await this.#aggregates.load(stream);
      if (!(await this.#isUsedFor(userId, stream))) return;
      const decide = (state: RegistrationToken, newest: ExpectedRevision): readonly RegistrationTokenFact[] => {
        if (newest !== revision) throw new RevisionConflict(stream, revision, newest);
        return decideTokenReturn(state, userId);
      };
      try {
        return await this.#changeStream(stream, decide, BY_SERVER);
      } catch (error) {
        if (!(error instanceof RevisionConflict)) throw error;
        await races.endure(error);
      }
    }
  }

  /** Whether a use of the token was taken for the user id that was not given back. */
  async #isUsedFor(userId: UserId, stream: string): Promise<boolean> {
    let returned = 0;
    for await (const { type, data } of this.store.readStream(stream, { backwards: true })) {
      if (type === 'registration-token-created') return false;
      const isUse = type === 'registration-token-used';
      if (!isUse && type !== 'registration-token-returned') continue;
      if ((JSON.parse(data) as RegistrationTokenUsed | RegistrationTokenReturned).user_id !== userId) continue;
      if (isUse && returned === 0) return true;
      returned += isUse ? -1 : 1;
    }
    return false;
  }

  /** Gives a use of a token that is used up back where it was taken for an account that never was: the server ended between. */
  #giveBackAbandoned(token: string): Promise<void> {
    return this.#turns.run(token, async () => {
      const stream = registrationTokenStream(hashSecret(token));
      const { state } = await this.#aggregates.load(stream);
      if (state.uses_allowed === undefined || state.used < state.uses_allowed) return;
      const userId = await this.#findAbandoned(stream);
      if (userId !== undefined) await this.giveBack(token, userId);
    });
  }

  async #findAbandoned(stream: string): Promise<UserId | undefined> {
    const returned: UserId[] = [];
    for await (const fact of this.store.readStream(stream, { backwards: true, limit: MOST_LOOKED_AT })) {
      const { type, data } = fact;
      // What was before was another token of the same text, which was withdrawn.
      if (type === 'registration-token-created') break;
      const isUse = type === 'registration-token-used';
      if (!isUse && type !== 'registration-token-returned') continue;
      const { user_id: userId } = JSON.parse(data) as RegistrationTokenUsed | RegistrationTokenReturned;
      const at = returned.indexOf(userId);
      if (!isUse) returned.push(userId);
      else if (at >= 0) returned.splice(at, 1);
      else if (!(await this.#hasBegun(userId)) && this.#givenUp.has(fact)) return userId;
    }
    return undefined;
  }

  /** Asked of the log, not of views. */
  async #hasBegun(userId: UserId): Promise<boolean> {
    for await (const _ of this.store.readStream(userStream(userId), { limit: 1 })) return true;
    return false;
  }

  /** Withdraws a token, by its hash. Throws M_NOT_FOUND. */
  revoke(hash: string, cause: Cause): Promise<void> {
    return this.#changeStream(registrationTokenStream(hash), decideTokenRevocation, cause);
  }

  /** Gives a token other limits, by its hash. Throws as `decideTokenChange`. */
  change(hash: string, change: LimitChange, cause: Cause): Promise<void> {
    return this.#changeStream(
      registrationTokenStream(hash),
      (state) => decideTokenChange(state, limitsAfter(state, change), this.clock.now()),
      cause,
    );
  }

  #change(
    token: string,
    decide: (state: RegistrationToken) => readonly RegistrationTokenFact[],
    cause: Cause,
  ): Promise<void> {
    return this.#changeStream(registrationTokenStream(hashSecret(token)), decide, cause);
  }

  async #changeStream(
    stream: string,
    decide: (state: RegistrationToken, revision: ExpectedRevision) => readonly RegistrationTokenFact[],
    cause: Cause,
  ): Promise<void> {
    const { position, facts } = await this.#aggregates.execute(
      stream,
      (state, _exists, revision) => draftFacts(decide(state, revision)),
      cause,
    );
    if (facts.length > 0) await this.views.whenProcessed(position);
  }
}
