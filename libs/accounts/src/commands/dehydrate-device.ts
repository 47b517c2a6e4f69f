import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { DeviceId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { Accounts, causeOf } from '../accounts.js';
import { hashSecret, newAccessToken } from '../credentials/secrets.js';
import { decideDehydration } from '../decide/decide-sessions.js';

/**
 * Keeps a device for the requester that no client holds, in the place of the one before (MSC3814). Throws M_INVALID_PARAM where
 * another device has its id or its name is too long, M_TOO_LARGE.
 */
export class DehydrateDevice extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly deviceId: DeviceId,
    readonly deviceData: JsonObject,
    readonly displayName: string | undefined,
  ) {
    super();
  }
}

@CommandHandler(DehydrateDevice)
export class DehydrateDeviceHandler implements ICommandHandler<DehydrateDevice> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ requester, deviceId, deviceData, displayName }: DehydrateDevice): Promise<void> {
    const dehydration = {
      device_id: deviceId,
      device_data: deviceData,
      token_hash: hashSecret(newAccessToken()),
      ...(displayName === undefined ? {} : { display_name: displayName }),
    };
    await this.accounts.change(
      requester.userId,
      (account) => decideDehydration(account, dehydration),
      causeOf(requester),
    );
  }
}
