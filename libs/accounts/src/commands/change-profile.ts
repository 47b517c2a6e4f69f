import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { JsonValue } from '#kernel/json';
import { refuseSuspended } from '#kernel/refuse-suspended';
import type { Requester } from '#kernel/requester';
import { Accounts, causeOf } from '../accounts.js';
import { decideProfileChange } from '../decide/decide-profile.js';

/**
 * Sets one key of the requester's profile, or removes it where `value` is undefined. That the rooms are told follows from the
 * fact. Throws as `decideProfileChange` and `refuseSuspended`: a suspended user shows nothing new to others, also by the account page.
 */
export class ChangeProfile extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly key: string,
    readonly value: JsonValue | undefined,
  ) {
    super();
  }
}

@CommandHandler(ChangeProfile)
export class ChangeProfileHandler implements ICommandHandler<ChangeProfile> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ requester, key, value }: ChangeProfile): Promise<void> {
    refuseSuspended(requester);
    await this.accounts.change(
      requester.userId,
      (account) => decideProfileChange(account, key, value),
      causeOf(requester),
    );
  }
}
