import type { UserId } from '#kernel/ids';

/** What pushers that mail need of who knows the addresses of accounts; `libs/accounts` implements it. */
export interface OwnAddresses {
  /** The mail addresses that an account has, each as it is kept and compared, by the log; none of who has no account, or none any more. */
  list(userId: UserId): Promise<readonly string[]>;
}

/** Injection token of the OwnAddresses. */
export const OWN_ADDRESSES = Symbol.for('annals.OwnAddresses');
