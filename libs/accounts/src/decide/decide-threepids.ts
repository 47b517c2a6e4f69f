import { ACCOUNT_LIMITS, limitReached } from '#kernel/account-limits';
import type { AccountFact } from '../facts/account-facts.js';
import { type Threepid, threepidKey } from '../threepids/threepid.js';
import type { Account } from './account.js';
import { checkActive } from './decide-account.js';

/** An identifier that its owner has shown to be theirs at `validatedAt`. Nothing where the account has it. Throws M_USER_LIMIT_EXCEEDED where it has too many, and as `checkActive`. */
export function decideThreepid(account: Account, threepid: Threepid, validatedAt: number, now: number): AccountFact[] {
  checkActive(account);
  if (account.threepids.has(threepidKey(threepid))) return [];
  if (account.threepids.size >= ACCOUNT_LIMITS.addresses.most) throw limitReached('addresses');
  return [{ type: 'threepid-added', data: { ...threepid, validated_at: validatedAt, added_at: now } }];
}

/** The account has it no more; nothing where it does not. */
export function decideThreepidRemoval(account: Account, { medium, address }: Threepid): AccountFact[] {
  if (!account.threepids.has(threepidKey({ medium, address }))) return [];
  return [{ type: 'threepid-removed', data: { medium, address } }];
}
