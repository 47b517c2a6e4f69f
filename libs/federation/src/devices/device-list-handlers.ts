import { Injectable } from '@nestjs/common';
import { ReceiveDeviceLists } from '#devices/commands/receive-device-lists';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { EduHandler } from '../edus/edu-handlers.js';

/** `m.device_list_update`: a device of a user of another server is another one now. */
@Injectable()
export class DeviceUpdateHandler implements EduHandler {
  readonly type = 'm.device_list_update';

  constructor(private readonly lists: ReceiveDeviceLists) {}

  async receive(origin: ServerName, content: JsonObject): Promise<void> {
    await this.lists.update(origin, content);
  }
}

/** `m.signing_key_update`: the cross-signing keys of a user of another server are others now. */
@Injectable()
export class SigningKeyHandler implements EduHandler {
  readonly type = 'm.signing_key_update';

  constructor(private readonly lists: ReceiveDeviceLists) {}

  async receive(origin: ServerName, content: JsonObject): Promise<void> {
    await this.lists.updateSigningKeys(origin, content);
  }
}
