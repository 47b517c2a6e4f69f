import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Requester } from '#kernel/requester';
import { Accounts, causeOf } from '../accounts.js';
import { decideSuccession } from '../decide/decide-account-data.js';
import type { AccountDataSet, RoomSucceeded } from '../facts/account-facts.js';

/**
 * Keeps what follows the requester from a room into the one that replaces it, in one append with the note that it has: asked a
 * second time, it does nothing. Throws M_USER_DEACTIVATED.
 */
export class SucceedRoom extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly succeeded: RoomSucceeded,
    readonly data: readonly AccountDataSet[],
  ) {
    super();
  }
}

@CommandHandler(SucceedRoom)
export class SucceedRoomHandler implements ICommandHandler<SucceedRoom> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ requester, succeeded, data }: SucceedRoom): Promise<void> {
    await this.accounts.change(
      requester.userId,
      (account) => decideSuccession(account, succeeded, data),
      causeOf(requester),
    );
  }
}
