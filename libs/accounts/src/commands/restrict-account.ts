import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Cause } from '#event-store/aggregates';
import type { UserId } from '#kernel/ids';
import { Accounts } from '../accounts.js';
import { checkNoAdministrator } from '../check-no-administrator.js';
import { decideRestriction } from '../decide/decide-account.js';
import type { Restriction } from '../facts/account-facts.js';

/**
 * Locks or suspends an account, or lifts that: client-server API, "Account locking" and "Account suspension". Throws M_NOT_FOUND for an
 * account that is not there, or gone, and M_FORBIDDEN for that of an administrator, unless the operator of the server asks (`byOperator`).
 */
export class RestrictAccount extends Command<void> {
  constructor(
    readonly userId: UserId,
    readonly restriction: Restriction,
    readonly isOn: boolean,
    readonly cause: Cause,
    readonly byOperator = false,
  ) {
    super();
  }
}

@CommandHandler(RestrictAccount)
export class RestrictAccountHandler implements ICommandHandler<RestrictAccount> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ userId, restriction, isOn, cause, byOperator }: RestrictAccount): Promise<void> {
    await this.accounts.change(
      userId,
      (account) => {
        if (!byOperator) checkNoAdministrator(account);
        return decideRestriction(account, restriction, isOn);
      },
      cause,
    );
  }
}
