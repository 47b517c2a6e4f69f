import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Outgoing, type OutgoingAnswer, OutgoingFailure, type OutgoingRequest } from '#http/outgoing/outgoing';
import { OF_OPERATOR, placeOf } from '#http/outgoing/place-of';
import { CLOCK, type Clock } from '#kernel/clock';
import { findJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { SharedRuns } from '#kernel/shared-runs';
import { Slots } from '#kernel/slots';
import { LOGGER, type Logger } from '#observability/logger';

/** Somebody waits with each, and the service is near. */
const WITHIN_MS = 5_000;
const MOST_BYTES = 256 * 1024;
/** However many come with tokens that nobody knows, the service is asked about so many at a time, and so many wait. */
const AT_ONCE = 16;
const MOST_WAITING = 1_000;
/** How long what it says of itself is told on. */
const METADATA_MS = 10 * 60 * 1000;
const PATHS = { metadata: '.well-known/openid-configuration', introspect: 'oauth2/introspect' } as const;

/** What the service says of a token (RFC 7662). */
export interface Introspection {
  readonly active: boolean;
  readonly scope: string;
  readonly username: string | undefined;
  /** Of sessions by the log-ins of old, whose scope does not say it. */
  readonly deviceId: string | undefined;
  /** In milliseconds since the epoch; Infinity where it does not end by itself. */
  readonly expiresAt: number;
}

/** The Matrix Authentication Service that the operator has, and trusts to say who somebody is. */
@Injectable()
export class Mas {
  readonly #slots = new Slots(AT_ONCE);
  readonly #looks = new SharedRuns(() => this.#readMetadata());
  #metadata: { readonly object: JsonObject; readonly at: number } | undefined;
  #isAway = false;

  constructor(
    private readonly outgoing: Outgoing,
    @Inject(CONFIG) private readonly config: Pick<Config, 'mas'>,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  get isOn(): boolean {
    return this.config.mas !== undefined;
  }

  /** Where people see to their account, as far as the service has said it. */
  get accountUri(): string | undefined {
    const uri = this.#metadata?.object['account_management_uri'];
    return typeof uri === 'string' ? uri : undefined;
  }

  /** What it says of itself (RFC 8414), of the last minutes. Throws M_UNKNOWN with status 503 where it says nothing. */
  async metadata(): Promise<JsonObject> {
    const known = this.#metadata;
    if (known !== undefined && this.clock.now() - known.at < METADATA_MS) return known.object;
    // What it said before is better than nothing.
    return this.#looks.run().catch((error: unknown) => {
      if (known === undefined) throw error;
      return known.object;
    });
  }

  /** What a token is good for. Throws M_UNKNOWN with status 503 where the service does not say: nobody is to take that for the end of a session. */
  async introspect(token: string): Promise<Introspection> {
    if (this.#slots.waiting >= MOST_WAITING) throw unavailable();
    const { secret } = this.#service();
    const headers = {
      authorization: `Bearer ${secret}`,
      'content-type': 'application/x-www-form-urlencoded',
      'x-mas-supports-device-id': '1',
    };
    const body = new URLSearchParams({ token, token_type_hint: 'access_token' }).toString();
    const said = await this.#slots.run(() => this.#ask(PATHS.introspect, { method: 'POST', headers, body }));
    const { active, scope, username, device_id: deviceId, expires_in: expiresIn } = said;
    // Where its pages are is told to its applications.
    if (active === true && this.#metadata === undefined) await this.metadata();
    if (typeof active !== 'boolean') throw this.#refused('introspect', 'no answer that can be read');
    return {
      active,
      scope: typeof scope === 'string' ? scope : '',
      username: typeof username === 'string' ? username : undefined,
      deviceId: typeof deviceId === 'string' ? deviceId : undefined,
      expiresAt: typeof expiresIn === 'number' ? this.clock.now() + expiresIn * 1000 : Infinity,
    };
  }

  async #readMetadata(): Promise<JsonObject> {
    const object = await this.#ask(PATHS.metadata, { method: 'GET', headers: {} });
    this.#metadata = { object, at: this.clock.now() };
    return object;
  }

  #service(): NonNullable<Config['mas']> {
    if (this.config.mas === undefined) throw new Error('no authentication service is set');
    return this.config.mas;
  }

  async #ask(path: string, request: Pick<OutgoingRequest, 'method' | 'headers' | 'body'>): Promise<JsonObject> {
    const url = new URL(`${this.#service().url}/${path}`);
    const headers = { host: url.host, accept: 'application/json', ...request.headers };
    const limits = { withinMs: WITHIN_MS, maxBytes: MOST_BYTES };
    let answer: OutgoingAnswer;
    try {
      answer = await this.outgoing.send(placeOf(url, { ...OF_OPERATOR, connections: AT_ONCE }), {
        ...request,
        path: url.pathname,
        headers,
        ...limits,
      });
    } catch (error) {
      if (error instanceof OutgoingFailure) throw this.#refused(path, error.message);
      throw error;
    }
    const object = answer.status === 200 ? findJsonObject(answer.body) : undefined;
    if (object === undefined) throw this.#refused(path, `status ${answer.status}`);
    this.#isAway = false;
    return object;
  }

  /** Operators are told why, once until it answers again. */
  #refused(path: string, reason: string): MatrixError {
    const level = this.#isAway ? 'debug' : 'warn';
    this.#isAway = true;
    this.logger[level]({ context: 'mas', path }, `the authentication service does not answer: ${reason}`);
    return unavailable();
  }
}

const unavailable = (): MatrixError =>
  new MatrixError('M_UNKNOWN', 'The authentication service does not answer', { status: 503 });
