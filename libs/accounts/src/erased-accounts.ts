import type { UserId } from '#kernel/ids';

/** What accounts need of who keeps the list of those that were erased, beside the log; `libs/admin` keeps it. */
export interface ErasedAccounts {
  /** Notes durably that an account is closed for good, with what was its: whoever puts a log of before in the place of this one is told. */
  noteAccount(userId: UserId): Promise<void>;
}

/** Injection token of the ErasedAccounts. */
export const ERASED_ACCOUNTS = Symbol.for('annals.ErasedAccounts');
