import { Inject, Optional } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import type { Cause } from '#event-store/aggregates';
import { Accounts } from '../accounts.js';
import { checkNotNotices } from '../check-not-notices.js';
import { checkNotOwn } from '../check-not-own.js';
import type { Account } from '../decide/account.js';
import { decideDeactivation } from '../decide/decide-account.js';
import { ERASED_ACCOUNTS, type ErasedAccounts } from '../erased-accounts.js';
import type { Threepid } from '../threepids/threepid.js';
import { ThreepidClaims } from '../threepids/threepid-claims.js';

/**
 * Ends an account, unless an operator has it opened again: its sessions, its password. With `erase` also its profile and private data leave the views, and
 * the log says that the user asked for erasure, and so does the list beside it by when this settles. What rooms make of it is for them to do upon
 * the fact. Throws M_NOT_FOUND; M_FORBIDDEN for the user of the server's notices, and for their own account to who closes
 * it as an administrator does (`byAdministrator`).
 */
export class DeactivateAccount extends Command<void> {
  constructor(
    readonly userId: UserId,
    readonly erase: boolean,
    readonly cause: Cause,
    readonly byAdministrator = false,
  ) {
    super();
  }
}

@CommandHandler(DeactivateAccount)
export class DeactivateAccountHandler implements ICommandHandler<DeactivateAccount> {
  constructor(
    private readonly accounts: Accounts,
    private readonly claims: ThreepidClaims,
    @Inject(CONFIG) private readonly config: Pick<Config, 'notices'>,
    @Optional() @Inject(ERASED_ACCOUNTS) private readonly erased?: ErasedAccounts,
  ) {}

  async execute({ userId, erase, cause, byAdministrator }: DeactivateAccount): Promise<void> {
    if (byAdministrator) checkNotOwn(userId, cause);
    checkNotNotices(userId, this.config);
    let [reopened, threepids]: [number | undefined, Threepid[]] = [undefined, []];
    const decide = (account: Account): ReturnType<typeof decideDeactivation> => {
      [reopened, threepids] = [account.reopenedAt, [...account.threepids.values()]];
      return decideDeactivation(account, erase);
    };
    const { position } = await this.accounts.change(userId, decide, cause);
    for (const threepid of threepids) await this.claims.release(threepid, userId, position);
    // Where it cannot be written down yet the account is closed all the same, and nobody else waits for what was its.
    if (erase) await this.erased?.noteAccount(userId, reopened);
  }
}
