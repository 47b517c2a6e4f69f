import type { Account } from '../decide/account.js';

/**
 * Since when what is let in for the user holds: the revision of the last fact that says a password, or with which all sessions ended. Who let
 * something in before it may have been somebody else.
 */
export function trustedSince({
  passwordAt,
  loggedOutAt,
}: Pick<Account, 'passwordAt' | 'loggedOutAt'>): number | undefined {
  return passwordAt === undefined || loggedOutAt === undefined
    ? (passwordAt ?? loggedOutAt)
    : Math.max(passwordAt, loggedOutAt);
}
