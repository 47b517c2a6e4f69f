import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { SERVER_STREAM } from '#event-store/log-identity';
import { CLOCK, type Clock } from '#kernel/clock';
import { BY_SERVER } from './accounts.js';
import { hashSecret, newRegistrationToken } from './credentials/secrets.js';
import type { FirstRegistrationTokenIssued } from './facts/registration-token-facts.js';
import { RegistrationTokens } from './registration-tokens.js';

const ISSUED = 'first-registration-token-issued';

const evolve = (issued: boolean, fact: { readonly type: string }): boolean => issued || fact.type === ISSUED;

/** Lets the first account in where registration needs a token: once in the life of a log. */
@Injectable()
export class FirstRegistrationToken {
  readonly #server: Aggregates<boolean>;

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'registration'>,
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    private readonly tokens: RegistrationTokens,
  ) {
    this.#server = new Aggregates({ store, clock, capacity: 1, initialState: false, evolve });
  }

  /**
   * Shows the operator a token for one registration, as nobody can read it again; nothing where another start has shown one, or
   * registration needs none. That it was shown is noted behind it: after a crash between the two, or where `show` answers that it was
   * not (false), the next start shows another.
   */
  async issue(show: (token: string) => unknown): Promise<void> {
    if (this.config.registration !== 'token' || (await this.#server.load(SERVER_STREAM)).state) return;
    const token = newRegistrationToken();
    await this.tokens.create(token, { uses_allowed: 1 }, BY_SERVER);
    if ((await show(token)) === false) return;
    const data: FirstRegistrationTokenIssued = { token_hash: hashSecret(token) };
    await this.#server.execute(
      SERVER_STREAM,
      (issued) => (issued ? [] : [{ id: randomUUID(), type: ISSUED, data: JSON.stringify(data) }]),
      BY_SERVER,
    );
  }
}
