import { type IdentityFact, readIdentityFact } from '../facts/identity-facts.js';

/** Who uses the identity server: the tokens that hold, the oldest first, and the URLs of accepted terms. */
export interface IdentityAccount {
  readonly tokens: readonly string[];
  readonly accepted: readonly string[];
}

export const NO_IDENTITY_ACCOUNT: IdentityAccount = Object.freeze({
  tokens: [],
  accepted: [],
});

/** Clients register anew now and then and forget what they had. */
const MOST_TOKENS = 50;
const MOST_URLS = 100;

export function foldIdentityAccount(
  account: IdentityAccount,
  fact: { readonly type: string; readonly data: string },
): IdentityAccount {
  const { type, data } = readIdentityFact(fact);
  switch (type) {
    case 'identity-token-issued':
      return {
        ...account,
        tokens: [...account.tokens.filter((one) => one !== data.token_hash), data.token_hash],
      };
    case 'identity-token-ended':
      return {
        ...account,
        tokens: account.tokens.filter((one) => one !== data.token_hash),
      };
    case 'identity-terms-accepted':
      return { ...account, accepted: data.urls };
    default:
      return account;
  }
}

/** One more token; the oldest ends where there are too many. */
export function decideToken({ tokens }: IdentityAccount, tokenHash: string): IdentityFact[] {
  const over = tokens.slice(0, Math.max(0, tokens.length + 1 - MOST_TOKENS));
  return [
    ...over.map((one) => ({ type: 'identity-token-ended', data: { token_hash: one } }) as const),
    { type: 'identity-token-issued', data: { token_hash: tokenHash } },
  ];
}

/** Nothing where it holds no more. */
export function decideTokenEnd({ tokens }: IdentityAccount, tokenHash: string): IdentityFact[] {
  return tokens.includes(tokenHash) ? [{ type: 'identity-token-ended', data: { token_hash: tokenHash } }] : [];
}

/** None of them holds any more. */
export function decideTokensEnd({ tokens }: IdentityAccount): IdentityFact[] {
  return tokens.map((one) => ({ type: 'identity-token-ended', data: { token_hash: one } }));
}

/** Some more terms are accepted; of too many those that were accepted first are forgotten. */
export function decideAcceptance({ accepted }: IdentityAccount, urls: readonly string[]): IdentityFact[] {
  const all = [...new Set([...accepted, ...urls])].slice(-MOST_URLS);
  return urls.every((url) => accepted.includes(url)) ? [] : [{ type: 'identity-terms-accepted', data: { urls: all } }];
}
