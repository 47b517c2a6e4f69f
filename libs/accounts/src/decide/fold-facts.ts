import type { NewFact } from '#event-store/event-store';
import type { AccountFact } from '../facts/account-facts.js';
import type { RegistrationTokenFact } from '../facts/registration-token-facts.js';
import { type Account, evolveAccount } from './account.js';
import { type RegistrationToken, evolveRegistrationToken } from './registration-token.js';

/** The facts that change what deciders know: all others of the stream are not even parsed. */
const FOLDED: ReadonlySet<string> = new Set<AccountFact['type']>([
  'account-registered',
  'guest-upgraded',
  'device-added',
  'device-renamed',
  'device-dehydrated',
  'devices-removed',
  'tokens-refreshed',
  'tokens-confirmed',
  'password-changed',
  'account-deactivated',
  'account-reopened',
  'threepid-added',
  'threepid-removed',
  'terms-accepted',
  'admin-changed',
  'account-locked',
  'account-unlocked',
  'account-suspended',
  'account-unsuspended',
  'rate-limit-overridden',
  'rate-limit-restored',
  'login-token-issued',
  'login-token-used',
  'external-id-linked',
  'external-id-unlinked',
  'upstream-sessions-ended',
  'profile-changed',
  'readers-set',
  'filter-created',
  'room-succeeded',
]);

/** The account as of a fact of its stream, as the log holds it. */
export function foldAccountFact(account: Account, fact: NewFact, revision: number): Account {
  if (!FOLDED.has(fact.type)) return account;
  // Only this library writes these types: their data has the shape that AccountFacts gives.
  const parsed = { type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact;
  return evolveAccount(account, parsed, { at: fact.metadata.at, revision });
}

/** What the types of a registration token's facts begin with. */
const TOKEN_FACT_PREFIX = 'registration-token-';

/** The registration token as of a fact of its stream. */
export function foldRegistrationTokenFact(token: RegistrationToken, fact: NewFact): RegistrationToken {
  if (!fact.type.startsWith(TOKEN_FACT_PREFIX)) return token;
  return evolveRegistrationToken(token, {
    type: fact.type,
    data: JSON.parse(fact.data) as unknown,
  } as RegistrationTokenFact);
}
