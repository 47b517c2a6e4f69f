import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Cause } from '#event-store/aggregates';
import type { UserId } from '#kernel/ids';
import { Accounts } from '../accounts.js';
import { decideThreepidRemoval } from '../decide/decide-threepids.js';
import type { Threepid } from '../threepids/threepid.js';
import { ThreepidClaims } from '../threepids/threepid-claims.js';

/** Takes an identifier from an account, from where on it is free. One that it does not have is no error. */
export class RemoveThreepid extends Command<void> {
  constructor(
    readonly userId: UserId,
    readonly threepid: Threepid,
    readonly cause: Cause,
  ) {
    super();
  }
}

@CommandHandler(RemoveThreepid)
export class RemoveThreepidHandler implements ICommandHandler<RemoveThreepid> {
  constructor(
    private readonly accounts: Accounts,
    private readonly claims: ThreepidClaims,
  ) {}

  async execute({ userId, threepid, cause }: RemoveThreepid): Promise<void> {
    const decide = (account: Parameters<typeof decideThreepidRemoval>[0]) => decideThreepidRemoval(account, threepid);
    const { changed, position } = await this.accounts.change(userId, decide, cause);
    if (changed) await this.claims.release(threepid, userId, position);
  }
}
