import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Cause } from '#event-store/aggregates';
import type { UserId } from '#kernel/ids';
import { Accounts } from '../accounts.js';
import { decideAcceptance } from '../decide/decide-terms.js';
import type { AcceptedTerms } from '../terms/terms.js';

/** Notes which documents, in which versions, a user has accepted. Throws M_NOT_FOUND, M_USER_DEACTIVATED. */
export class AcceptTerms extends Command<void> {
  constructor(
    readonly userId: UserId,
    readonly accepted: AcceptedTerms,
    readonly cause: Cause,
  ) {
    super();
  }
}

@CommandHandler(AcceptTerms)
export class AcceptTermsHandler implements ICommandHandler<AcceptTerms> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ userId, accepted, cause }: AcceptTerms): Promise<void> {
    await this.accounts.change(userId, (account) => decideAcceptance(account, accepted), cause);
  }
}
