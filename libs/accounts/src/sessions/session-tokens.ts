import { Injectable } from '@nestjs/common';
import type { AccessTokens, Connection } from '#http/access-tokens';
import type { Requester } from '#kernel/requester';
import { isOwnAccessToken } from '../credentials/secrets.js';
import { KnownTokens } from './known-tokens.js';

/** Whom access tokens stand for, whoever has given them out: this server, or one other that it trusts. */
@Injectable()
export class SessionTokens implements AccessTokens {
  #others: AccessTokens | undefined;

  constructor(private readonly own: KnownTokens) {}

  /** Has somebody else asked about the tokens that are none of this server's. */
  trust(others: AccessTokens): void {
    this.#others = others;
  }

  /** See AccessTokens. */
  requesterOf(token: string, connection?: Connection): Promise<Requester> {
    return this.#issuerOf(token).requesterOf(token, connection);
  }

  /** See AccessTokens. */
  holderOfExpired(token: string): Promise<Requester> {
    return this.#issuerOf(token).holderOfExpired(token);
  }

  /** See AccessTokens. */
  validUntil(token: string): Promise<number> {
    return this.#issuerOf(token).validUntil(token);
  }

  #issuerOf(token: string): AccessTokens {
    return this.#others === undefined || isOwnAccessToken(token) ? this.own : this.#others;
  }
}
