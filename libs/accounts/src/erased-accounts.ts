import type { UserId } from '#kernel/ids';

/** What accounts need of who knows which were erased, and keeps the list of them beside the log; `libs/admin` does. */
export interface ErasedAccounts {
  /**
   * Notes durably that an account is closed, and what was its is to go: whoever puts a log of before in the place of this one is told. `reopened`: when it was opened again last before
   * that, in milliseconds since the epoch.
   */
  noteAccount(userId: UserId, reopened?: number): Promise<void>;
  /** Throws M_FORBIDDEN where all that the user had said was to go, too, M_UNKNOWN with status 503 while the account is being erased, and M_BAD_STATE where that was given up. */
  checkReopening(userId: UserId): Promise<void>;
}

/** Injection token of the ErasedAccounts. */
export const ERASED_ACCOUNTS = Symbol.for('annals.ErasedAccounts');
