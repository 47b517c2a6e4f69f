import { MatrixError } from '#kernel/matrix-error';
import type { AccountFact } from '../facts/account-facts.js';
import type { LoginTokenIssued } from '../facts/login-facts.js';
import type { Account } from './account.js';
import { checkActive } from './decide-account.js';

/** Of one user: the oldest gives way. */
const MOST_TOKENS = 20;

type Tokens = Account['loginTokens'];

/** A token for one login. Throws as `checkActive`. */
export function decideTokenIssue(account: Account, issued: LoginTokenIssued): AccountFact[] {
  checkActive(account);
  return [{ type: 'login-token-issued', data: issued }];
}

/** The one use of a token. Throws M_FORBIDDEN where there is none, it was used, or its time is over at `now`. */
export function decideLoginTokenUse(account: Account, tokenHash: string, now: number): AccountFact[] {
  const token = account.loginTokens?.find(({ token_hash: known }) => known === tokenHash);
  if (token === undefined || token.expires_at <= now) throw new MatrixError('M_FORBIDDEN', 'Invalid login token');
  return [{ type: 'login-token-used', data: { token_hash: tokenHash } }];
}

/** What is open after another one was issued `at` a moment. */
export function tokensAfterIssue(tokens: Tokens, issued: LoginTokenIssued, at: number): Tokens {
  return [...(tokens ?? []).filter((token) => token.expires_at > at), issued].slice(-MOST_TOKENS);
}

/** What is open after one was used. */
export function tokensAfterUse(tokens: Tokens, tokenHash: string): Tokens {
  const rest = (tokens ?? []).filter((token) => token.token_hash !== tokenHash);
  return rest.length === 0 ? undefined : rest;
}
