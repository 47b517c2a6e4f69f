import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { JWTVerifyGetKey } from 'jose';
import { fillTemplate } from '#config/sso/template';
import type { UpstreamProvider } from '#config/sso/upstream-provider';
import { Outgoing } from '#http/outgoing/outgoing';
import { MatrixError } from '#kernel/matrix-error';
import { messageOf } from '#kernel/message-of';
import { outgoingFetch } from './outgoing-fetch.js';
import { UpstreamClients } from './upstream-clients.js';

type Jose = typeof import('jose');

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** It is sent at once. */
const MOST_AGE = '5m';

/** Whose sessions end, and those of which session of theirs, of all where none is named: one of the two is said. */
export interface LoggedOut {
  readonly subject?: string;
  readonly sidHash?: string;
}

/** Reads what a provider says of a log-out (OpenID Connect Back-Channel Logout 1.0, section 2.6). */
@Injectable()
export class ReadLogoutToken {
  /** By their URL, of which there is one for each provider. */
  readonly #keys = new Map<string, JWTVerifyGetKey>();

  constructor(
    private readonly clients: UpstreamClients,
    private readonly outgoing: Outgoing,
  ) {}

  /** Throws M_FORBIDDEN with status 400 for a token that is not the provider's, not for this server, too old, or names nobody. */
  async read(provider: UpstreamProvider, token: string): Promise<LoggedOut> {
    const { issuer, jwks_uri: jwks } = await this.clients.metadataOf(provider);
    if (jwks === undefined) throw refused('the provider has no keys');
    // PERF: loaded where a provider says something.
    const jose = await import('jose');
    const { payload } = await jose
      .jwtVerify(token, this.#keysAt(jose, jwks), {
        issuer,
        audience: provider.clientId,
        maxTokenAge: MOST_AGE,
        requiredClaims: ['iat', 'jti', 'events'],
      })
      .catch((error: unknown) => {
        throw refused(messageOf(error));
      });
    const { events, sid } = payload;
    const isLogout = typeof events === 'object' && events !== null && Object.hasOwn(events, EVENT);
    // With a nonce it would be an ID token.
    if (!isLogout || payload['nonce'] !== undefined) throw refused('it is none of a log-out');
    const subject = payload.sub === undefined ? undefined : fillTemplate(provider.claims.subject, payload);
    const isOfSession = typeof sid === 'string';
    if (subject === undefined && !isOfSession) throw refused('it says not whose');
    return {
      ...(subject === undefined ? {} : { subject }),
      ...(isOfSession ? { sidHash: hash('sha256', sid, 'hex') } : {}),
    };
  }

  /** Asked for at most twice a minute, whatever is shown to this server. */
  #keysAt(jose: Jose, jwks: string): JWTVerifyGetKey {
    let keys = this.#keys.get(jwks);
    if (keys === undefined) {
      const asks = outgoingFetch(this.outgoing);
      const ask = (url: string, { headers, method }: { headers: Headers; method: string }): Promise<Response> =>
        asks(url, { method, headers: Object.fromEntries(headers), body: undefined, redirect: 'manual' });
      keys = jose.createRemoteJWKSet(new URL(jwks), { [jose.customFetch]: ask });
      this.#keys.set(jwks, keys);
    }
    return keys;
  }
}

const refused = (why: string): MatrixError => new MatrixError('M_FORBIDDEN', `logout_token: ${why}`, { status: 400 });
