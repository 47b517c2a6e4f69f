import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { causeOf } from '#accounts/accounts';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { countKeys, keysOfDeviceMade } from '../decide/keys-of-device.js';
import { decideUpload, type KeyUpload } from '../decide/decide-upload.js';
import { DeviceKeys } from '../device-keys.js';
import type { KeyCounts } from '../facts/device-key-facts.js';
import { DEVICE_KEYS } from '../projections/device-keys.projector.js';

/**
 * Publishes keys of the requester's device: client-server API, "End-to-End Encryption", POST /keys/upload. Answers which are here
 * then. Throws as `decideUpload`, and M_UNKNOWN_TOKEN where the device has ended, ViewsUnavailable where the views may only have lost it.
 */
export class UploadKeys extends Command<KeyCounts> {
  constructor(
    readonly requester: Requester,
    readonly upload: KeyUpload,
  ) {
    super();
  }
}

@CommandHandler(UploadKeys)
export class UploadKeysHandler implements ICommandHandler<UploadKeys> {
  constructor(
    private readonly deviceKeys: DeviceKeys,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenProcessed' | 'confirm'>,
  ) {}

  async execute({ requester, upload }: UploadKeys): Promise<KeyCounts> {
    const { userId, deviceId } = requester;
    // An application service may act on no device.
    if (deviceId === '') throw new MatrixError('M_UNKNOWN_DEVICE', 'Keys are those of a device: device_id is needed');
    const changed = await this.deviceKeys.change(
      [userId, deviceId],
      (keys, time) => decideUpload(keys, upload, time),
      causeOf(requester),
    );
    if (changed === undefined) {
      // Rows that are gone look like devices that are, upon which a client ends its session.
      await this.views.confirm();
      throw new MatrixError('M_UNKNOWN_TOKEN', 'The device is gone');
    }
    const { keys, time, position } = changed;
    await this.views.whenProcessed(position, [DEVICE_KEYS.name]);
    return countKeys(keysOfDeviceMade(keys, time.createdTs), time.history);
  }
}
