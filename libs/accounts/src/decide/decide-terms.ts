import type { AccountFact, TermsAccepted } from '../facts/account-facts.js';
import type { AcceptedTerms } from '../terms/terms.js';
import type { Account } from './account.js';
import { checkActive } from './decide-account.js';

/** The user has accepted documents. Nothing where they have already, in these versions. Throws as `checkActive`. */
export function decideAcceptance(account: Account, accepted: AcceptedTerms): AccountFact[] {
  checkActive(account);
  const fresh = Object.entries(accepted).filter(([id, version]) => account.terms?.[id] !== version);
  return fresh.length === 0 ? [] : [{ type: 'terms-accepted', data: { documents: Object.fromEntries(fresh) } }];
}

/** What is accepted after a fact of it. */
export function termsAfter(before: AcceptedTerms | undefined, { documents }: TermsAccepted): AcceptedTerms {
  return { ...before, ...documents };
}
