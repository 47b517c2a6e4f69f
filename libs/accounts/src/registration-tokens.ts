import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { VIEWS, type Views } from '#projections/views';
import { BY_SERVER, draftFacts } from './accounts.js';
import {
  NO_REGISTRATION_TOKEN,
  type RegistrationToken,
  decideTokenCreation,
  decideTokenReturn,
  decideTokenRevocation,
  decideTokenUse,
  isUsable,
} from './decide/registration-token.js';
import { foldRegistrationTokenFact } from './decide/fold-facts.js';
import {
  type RegistrationTokenCreated,
  type RegistrationTokenFact,
  registrationTokenStream,
} from './facts/registration-token-facts.js';
import { hashSecret } from './credentials/secrets.js';

const CAPACITY = 1_000;

/** The write side of registration tokens. Tokens come in as their own text and go on as hashes. */
@Injectable()
export class RegistrationTokens {
  readonly #aggregates: Aggregates<RegistrationToken>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenProcessed'>,
  ) {
    const fold = { initialState: NO_REGISTRATION_TOKEN, evolve: foldRegistrationTokenFact };
    this.#aggregates = new Aggregates({ store, clock, capacity: CAPACITY, ...fold });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#aggregates.numbers;
  }

  /** Whether a registration with the token would be let through now. */
  async isUsable(token: string): Promise<boolean> {
    const { state } = await this.#aggregates.load(registrationTokenStream(hashSecret(token)));
    return isUsable(state, this.clock.now());
  }

  /** Makes a token valid. Throws M_INVALID_PARAM where it exists. */
  create(token: string, creation: RegistrationTokenCreated, cause: Cause): Promise<void> {
    return this.#change(token, (state) => decideTokenCreation(state, creation, this.clock.now()), cause);
  }

  /** Takes one use for the user id. Throws M_FORBIDDEN where there is none left. */
  use(token: string, userId: UserId): Promise<void> {
    return this.#change(token, (state) => decideTokenUse(state, userId, this.clock.now()), BY_SERVER);
  }

  /** Gives the use back that a failed registration took. */
  giveBack(token: string, userId: UserId): Promise<void> {
    return this.#change(token, (state) => decideTokenReturn(state, userId), BY_SERVER);
  }

  /** Withdraws a token. Throws M_NOT_FOUND. */
  revoke(token: string, cause: Cause): Promise<void> {
    return this.#change(token, decideTokenRevocation, cause);
  }

  async #change(
    token: string,
    decide: (state: RegistrationToken) => readonly RegistrationTokenFact[],
    cause: Cause,
  ): Promise<void> {
    const stream = registrationTokenStream(hashSecret(token));
    const { position, facts } = await this.#aggregates.execute(stream, (state) => draftFacts(decide(state)), cause);
    if (facts.length > 0) await this.views.whenProcessed(position);
  }
}
