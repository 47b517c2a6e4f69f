import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { DeviceId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { Accounts, causeOf } from '../accounts.js';
import { hashSecret, newAccessToken } from '../credentials/secrets.js';
import { decideDehydration } from '../decide/decide-sessions.js';
import { TAKEN_DEVICE_IDS, type TakenDeviceIds, withFreeDeviceId } from '../taken-device-ids.js';

/**
 * Keeps a device for the requester that no client holds, in the place of the one before (MSC3814). Throws M_INVALID_PARAM where
 * another device or a key of theirs has its id, or its name is too long, M_TOO_LARGE.
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
  constructor(
    private readonly accounts: Accounts,
    @Inject(TAKEN_DEVICE_IDS) private readonly taken: TakenDeviceIds,
  ) {}

  async execute({ requester, deviceId, deviceData, displayName }: DehydrateDevice): Promise<void> {
    const dehydration = {
      device_id: deviceId,
      device_data: deviceData,
      token_hash: hashSecret(newAccessToken()),
      ...(displayName === undefined ? {} : { display_name: displayName }),
    };
    const { userId } = requester;
    await withFreeDeviceId(this.taken, userId, deviceId, (isAsSeen) =>
      this.accounts.change(
        userId,
        (account, revision) => {
          isAsSeen(revision);
          return decideDehydration(account, dehydration);
        },
        causeOf(requester),
      ),
    );
  }
}
