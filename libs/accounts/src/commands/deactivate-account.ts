import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { UserId } from '#kernel/ids';
import type { Cause } from '#event-store/aggregates';
import { Accounts } from '../accounts.js';
import { decideDeactivation } from '../decide/decide-account.js';
import { ThreepidClaims } from '../threepids/threepid-claims.js';

/**
 * Ends an account for ever: its sessions, its password. With `erase` also its profile and private data leave the views, and
 * the log says that the user asked for erasure. What rooms make of it is for them to do upon the fact. Throws M_NOT_FOUND.
 */
export class DeactivateAccount extends Command<void> {
  constructor(
    readonly userId: UserId,
    readonly erase: boolean,
    readonly cause: Cause,
  ) {
    super();
  }
}

@CommandHandler(DeactivateAccount)
export class DeactivateAccountHandler implements ICommandHandler<DeactivateAccount> {
  constructor(
    private readonly accounts: Accounts,
    private readonly claims: ThreepidClaims,
  ) {}

  async execute({ userId, erase, cause }: DeactivateAccount): Promise<void> {
    const { threepids } = await this.accounts.load(userId);
    await this.accounts.change(userId, (account) => decideDeactivation(account, erase), cause);
    for (const threepid of threepids.values()) await this.claims.release(threepid, userId);
  }
}
