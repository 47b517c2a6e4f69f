import { Injectable } from '@nestjs/common';
import { ReceiveMessages } from '#devices/commands/receive-messages';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { EduHandler } from './edu-handlers.js';
import { DIRECT_TO_DEVICE } from './split-messages.js';

/** `m.direct_to_device`: messages to devices here. */
@Injectable()
export class ToDeviceHandler implements EduHandler {
  readonly type = DIRECT_TO_DEVICE;

  constructor(private readonly messages: ReceiveMessages) {}

  receive(origin: ServerName, content: JsonObject): Promise<void> {
    return this.messages.receive(origin, content);
  }
}
