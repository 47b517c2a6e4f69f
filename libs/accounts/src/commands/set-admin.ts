import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { UserId } from '#kernel/ids';
import type { Cause } from '#event-store/aggregates';
import { Accounts } from '../accounts.js';
import { decideAdmin } from '../decide/decide-account.js';

/** Makes a user an administrator of this server, or takes it away. Throws M_NOT_FOUND, M_USER_DEACTIVATED. */
export class SetAdmin extends Command<void> {
  constructor(
    readonly userId: UserId,
    readonly admin: boolean,
    readonly cause: Cause,
  ) {
    super();
  }
}

@CommandHandler(SetAdmin)
export class SetAdminHandler implements ICommandHandler<SetAdmin> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ userId, admin, cause }: SetAdmin): Promise<void> {
    await this.accounts.change(userId, (account) => decideAdmin(account, admin), cause);
  }
}
