import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DehydrateDevice } from '#accounts/commands/dehydrate-device';
import type { DeviceId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { decideUpload, type KeyUpload } from '../decide/decide-upload.js';
import { DeviceKeys } from '../device-keys.js';
import { UploadKeys } from './upload-keys.js';

/** What a client says of a device that none is to hold. */
export interface DehydratedDevice {
  readonly deviceId: DeviceId;
  readonly data: JsonObject;
  readonly displayName: string | undefined;
  readonly upload: KeyUpload;
}

/**
 * Keeps a device that no client holds with its keys, in the place of the one before, which stays where this one is refused (MSC3814). A
 * crash in between leaves it without keys, until the client asks again. Throws as `DehydrateDevice` and `UploadKeys`.
 */
export class KeepDehydratedDevice extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly device: DehydratedDevice,
  ) {
    super();
  }
}

@CommandHandler(KeepDehydratedDevice)
export class KeepDehydratedDeviceHandler implements ICommandHandler<KeepDehydratedDevice> {
  constructor(
    private readonly commands: CommandBus,
    private readonly deviceKeys: DeviceKeys,
  ) {}

  async execute({ requester, device }: KeepDehydratedDevice): Promise<void> {
    const { deviceId, data, displayName, upload } = device;
    await this.deviceKeys.foresee([requester.userId, deviceId], (keys, time) => decideUpload(keys, upload, time));
    await this.commands.execute(new DehydrateDevice(requester, deviceId, data, displayName));
    await this.commands.execute(new UploadKeys({ ...requester, deviceId }, upload));
  }
}
