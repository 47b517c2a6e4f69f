import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { DeviceId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import type { Cause } from '#event-store/aggregates';
import { Accounts, causeOf } from '../accounts.js';
import { decideDeviceRemoval } from '../decide/decide-sessions.js';

/** Ends devices of the requester and all their tokens. Devices that are gone already are no error. */
export class DeleteDevices extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly deviceIds: readonly DeviceId[],
    readonly cause: Cause = causeOf(requester),
  ) {
    super();
  }
}

@CommandHandler(DeleteDevices)
export class DeleteDevicesHandler implements ICommandHandler<DeleteDevices> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ requester, deviceIds, cause }: DeleteDevices): Promise<void> {
    await this.accounts.change(
      requester.userId,
      (account) => decideDeviceRemoval(account, deviceIds, 'deleted'),
      cause,
    );
  }
}
