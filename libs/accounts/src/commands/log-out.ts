import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Requester } from '#kernel/requester';
import { Accounts, causeOf } from '../accounts.js';
import { decideLogoutEverywhere } from '../decide/decide-account.js';
import { decideDeviceRemoval } from '../decide/decide-sessions.js';

/** Ends the requester's session, its device and tokens with it; with `everywhere`, all sessions of the user. */
export class LogOut extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly everywhere: boolean,
  ) {
    super();
  }
}

@CommandHandler(LogOut)
export class LogOutHandler implements ICommandHandler<LogOut> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ requester, everywhere }: LogOut): Promise<void> {
    await this.accounts.change(
      requester.userId,
      (account) =>
        everywhere ? decideLogoutEverywhere(account) : decideDeviceRemoval(account, [requester.deviceId], 'logout'),
      causeOf(requester),
    );
  }
}
