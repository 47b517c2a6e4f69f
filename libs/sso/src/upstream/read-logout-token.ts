import { hash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { JWTVerifyGetKey } from 'jose';
import { AuthNotes } from '#accounts/interactive-auth/auth-notes';
import { fillTemplate } from '#config/sso/template';
import type { UpstreamProvider } from '#config/sso/upstream-provider';
import { Outgoing } from '#http/outgoing/outgoing';
import { CLOCK, type Clock } from '#kernel/clock';
import { MatrixError } from '#kernel/matrix-error';
import { messageOf } from '#kernel/message-of';
import { LOGGER, type Logger } from '#observability/logger';
import { outgoingFetch } from './outgoing-fetch.js';
import { MOST_SKEW_SECONDS } from './most-skew.js';
import { UpstreamClients } from './upstream-clients.js';

type Jose = typeof import('jose');

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** It is sent at once. */
const MOST_AGE_SECONDS = 5 * 60;
/** A log-out is told once: by keys that were changed since they were asked for, too. */
const KEYS_APART_MS = 2_000;

/** Whose sessions end, and those of which session of theirs, of all where none is named: one of the two is said. */
export interface LoggedOut {
  readonly subject?: string;
  readonly sidHash?: string;
  /** What its token is called. */
  readonly tokenId: string;
}

/** Reads what a provider says of a log-out (OpenID Connect Back-Channel Logout 1.0, section 2.6). */
@Injectable()
export class ReadLogoutToken {
  /** By their URL, of which there is one for each provider. */
  readonly #keys = new Map<string, JWTVerifyGetKey>();

  constructor(
    private readonly clients: UpstreamClients,
    private readonly outgoing: Outgoing,
    private readonly notes: AuthNotes,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Throws M_FORBIDDEN with status 400 for a token that is not the provider's, not for this server, too old, used before, or names nobody. */
  async read(provider: UpstreamProvider, token: string): Promise<LoggedOut> {
    try {
      return await this.#read(provider, token);
    } catch (error) {
      // Providers keep to themselves what they are answered: nobody else would tell the operator why nobody is logged out.
      this.logger.info({ context: 'sso', provider: provider.id }, `A log-out was not believed: ${messageOf(error)}`);
      throw error;
    }
  }

  async #read(provider: UpstreamProvider, token: string): Promise<LoggedOut> {
    const { issuer, jwks_uri: jwks } = await this.clients.metadataOf(provider);
    if (jwks === undefined) throw refused('the provider has no keys');
    // PERF: loaded where a provider says something.
    const jose = await import('jose');
    const { payload } = await jose
      .jwtVerify(token, this.#keysAt(jose, jwks), {
        issuer,
        audience: provider.clientId,
        maxTokenAge: MOST_AGE_SECONDS,
        clockTolerance: MOST_SKEW_SECONDS,
        currentDate: new Date(this.clock.now()),
        requiredClaims: ['iat', 'jti', 'events'],
      })
      .catch((error: unknown) => {
        throw refused(messageOf(error));
      });
    const { events, sid, jti: tokenId } = payload;
    const isLogout = typeof events === 'object' && events !== null && Object.hasOwn(events, EVENT);
    // With a nonce it would be an ID token.
    if (!isLogout || payload['nonce'] !== undefined) throw refused('it is none of a log-out');
    const subject = payload.sub === undefined ? undefined : fillTemplate(provider.claims.subject, payload);
    const isOfSession = typeof sid === 'string';
    if (subject === undefined && !isOfSession) throw refused('it says not whose');
    if (typeof tokenId !== 'string') throw refused('jti: must be a string');
    if ((await this.notes.find(nameOf(provider, tokenId))) !== undefined) throw refused('it was used before');
    return {
      tokenId,
      ...(subject === undefined ? {} : { subject }),
      ...(isOfSession ? { sidHash: hash('sha256', sid, 'hex') } : {}),
    };
  }

  /** It is taken no more, for as long as it could be: section 2.6, step 8. */
  async spend(provider: UpstreamProvider, { tokenId }: LoggedOut): Promise<void> {
    // Of a clock that is ahead it is good for as much longer, and then by what is granted of behind, to the end of that second. Once more so much, for it is to be surely longer.
    const goodFor = MOST_AGE_SECONDS + 3 * MOST_SKEW_SECONDS;
    await this.notes.useOnce(nameOf(provider, tokenId), this.clock.now() + goodFor * 1000);
  }

  /** Not asked for at each token whose key is unknown: whoever likes can show this server such. */
  #keysAt(jose: Jose, jwks: string): JWTVerifyGetKey {
    let keys = this.#keys.get(jwks);
    if (keys === undefined) {
      const asks = outgoingFetch(this.outgoing);
      const ask = (url: string, { headers, method }: { headers: Headers; method: string }): Promise<Response> =>
        asks(url, { method, headers: Object.fromEntries(headers), body: undefined, redirect: 'manual' });
      keys = jose.createRemoteJWKSet(new URL(jwks), { [jose.customFetch]: ask, cooldownDuration: KEYS_APART_MS });
      this.#keys.set(jwks, keys);
    }
    return keys;
  }
}

const nameOf = ({ id }: UpstreamProvider, tokenId: string): string => `logout token of ${id}: ${tokenId}`;

const refused = (why: string): MatrixError => new MatrixError('M_FORBIDDEN', `logout_token: ${why}`, { status: 400 });
