import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { DeviceId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import type { Cause } from '#event-store/aggregates';
import { Accounts, causeOf } from '../accounts.js';
import { decideDeviceRename } from '../decide/decide-sessions.js';

/** Gives a device of the requester another display name. Throws M_NOT_FOUND, M_INVALID_PARAM. */
export class RenameDevice extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly deviceId: DeviceId,
    readonly displayName: string,
    readonly cause: Cause = causeOf(requester),
  ) {
    super();
  }
}

@CommandHandler(RenameDevice)
export class RenameDeviceHandler implements ICommandHandler<RenameDevice> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ requester, deviceId, displayName, cause }: RenameDevice): Promise<void> {
    await this.accounts.change(
      requester.userId,
      (account) => decideDeviceRename(account, deviceId, displayName),
      cause,
    );
  }
}
