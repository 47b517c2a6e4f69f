import type { Requester } from '#kernel/requester';

/** What a request comes by: a FastifyRequest is one. */
export interface Connection {
  readonly ip: string;
  readonly headers: { readonly 'user-agent'?: string };
}

/** Whom an access token stands for. Named after its caller, the guard of the doors; the accounts implement it. */
export interface AccessTokens {
  /**
   * Answers who holds the token (the guard fills in `requestId` itself). Throws M_UNKNOWN_TOKEN, with `soft_logout: true` in
   * its fields where the token expired but the device may come back. That the account is locked or suspended the requester says: the guard
   * refuses it. `connection`: by which it is used.
   */
  requesterOf(token: string, connection?: Connection): Promise<Requester>;
  /** Who holds a token that has expired, and could be refreshed: for what ends its session. Throws M_UNKNOWN_TOKEN. */
  holderOfExpired(token: string): Promise<Requester>;
  /**
   * When the token expires, in milliseconds since the epoch; Infinity where it does not. Throws as `requesterOf` does, and M_USER_LOCKED
   * where nobody may use the account any more, but does not count as a use of the token.
   */
  validUntil(token: string): Promise<number>;
}

/** Injection token of the AccessTokens: a global provider. */
export const ACCESS_TOKENS = Symbol.for('annals.AccessTokens');
