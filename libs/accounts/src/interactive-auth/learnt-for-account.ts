import type { Learnt } from './auth-sessions.js';

const FOR_ACCOUNT = ['registrationToken', 'acceptedTerms', 'threepid', 'phone'] as const satisfies (keyof Learnt)[];

/** What stages find out that goes into the account that is made after them. */
export type LearntForAccount = Pick<Learnt, (typeof FOR_ACCOUNT)[number]>;

/** That of a registration, by whichever door: what one of them forgot somebody had shown in vain. */
export function learntForAccount(learnt: Learnt): LearntForAccount {
  return Object.fromEntries(FOR_ACCOUNT.map((key) => [key, learnt[key]]));
}
