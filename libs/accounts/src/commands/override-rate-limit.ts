import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Cause } from '#event-store/aggregates';
import type { UserId } from '#kernel/ids';
import { Accounts } from '../accounts.js';
import { decideRateLimit } from '../decide/decide-account.js';
import type { RateLimitOverridden } from '../facts/account-facts.js';

/** Sets how much a user may ask for, in place of the limits of each class of requests; or, by none, lets those hold again. Throws M_NOT_FOUND. */
export class OverrideRateLimit extends Command<void> {
  constructor(
    readonly userId: UserId,
    readonly limit: RateLimitOverridden | undefined,
    readonly cause: Cause,
  ) {
    super();
  }
}

@CommandHandler(OverrideRateLimit)
export class OverrideRateLimitHandler implements ICommandHandler<OverrideRateLimit> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ userId, limit, cause }: OverrideRateLimit): Promise<void> {
    await this.accounts.change(userId, (account) => decideRateLimit(account, limit), cause);
  }
}
