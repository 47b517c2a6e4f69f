import type { AccountFact } from '../facts/account-facts.js';
import type { Account, FactPlace } from './account.js';
import { linksAfter } from './decide-external-ids.js';
import { endsAfter } from './upstream-sessions.js';
import { tokensAfterIssue, tokensAfterUse } from './decide-login-tokens.js';

type LoginFact = Extract<
  AccountFact,
  {
    type:
      | 'login-token-issued'
      | 'login-token-used'
      | 'external-id-linked'
      | 'external-id-unlinked'
      | 'upstream-sessions-ended';
  }
>;

/** The account after a fact of what it can be logged in with besides a password. */
export function loginsAfter(account: Account, fact: LoginFact, { at, revision }: FactPlace): Account {
  switch (fact.type) {
    case 'login-token-issued':
      return { ...account, loginTokens: tokensAfterIssue(account.loginTokens, fact.data, at) };
    case 'login-token-used':
      return { ...account, loginTokens: tokensAfterUse(account.loginTokens, fact.data.token_hash) };
    case 'upstream-sessions-ended':
      return { ...account, upstreamEnds: endsAfter(account.upstreamEnds, fact.data, at) };
    default:
      return linksAfter(account, fact, revision);
  }
}
