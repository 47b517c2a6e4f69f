import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Cause } from '#event-store/aggregates';
import type { UserId } from '#kernel/ids';
import { Accounts } from '../accounts.js';
import { decideAdminByGroups } from '../decide/decide-account.js';

/**
 * Makes a user an administrator because of their groups at a provider of accounts, or takes back what those gave; what an operator gave
 * stays. Throws M_NOT_FOUND, M_USER_DEACTIVATED.
 */
export class SetAdminByGroups extends Command<void> {
  constructor(
    readonly userId: UserId,
    readonly admin: boolean,
    readonly provider: string,
    readonly cause: Cause,
  ) {
    super();
  }
}

@CommandHandler(SetAdminByGroups)
export class SetAdminByGroupsHandler implements ICommandHandler<SetAdminByGroups> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ userId, admin, provider, cause }: SetAdminByGroups): Promise<void> {
    await this.accounts.change(userId, (account) => decideAdminByGroups(account, admin, provider), cause);
  }
}
