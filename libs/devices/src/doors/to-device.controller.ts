import { Controller, Inject, Param, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsObject } from 'class-validator';
import { CONFIG, type Config } from '#config/config';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { TODAY, under } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { type DeviceId, parseUserId, type ServerName, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { SendToDevice } from '../commands/send-to-device.js';
import type { Messages } from '../decide/check-messages.js';

class ToDeviceBody {
  @IsObject() messages!: JsonObject;
}

/** Messages to devices (client-server API, "Send-to-Device messaging"). */
@WhileSuspended()
@Authenticated({ guests: true })
@RateLimited('default')
@Controller(under(TODAY, 'sendToDevice'))
export class ToDeviceController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Put(':type/:txnId')
  async send(
    @CurrentRequester() requester: Requester,
    @Param('type') type: string,
    @Param('txnId') txnId: string,
    @JsonBody(ToDeviceBody) { messages }: ToDeviceBody,
  ): Promise<object> {
    const parsed = parseMessages(messages, this.config.serverName);
    await this.commands.execute(new SendToDevice(requester, type, txnId, parsed));
    return {};
  }
}

function parseMessages(messages: JsonObject, ours: ServerName): Messages {
  const parsed = new Map<UserId, Map<DeviceId | '*', string>>();
  for (const [userId, byDevice] of Object.entries(messages)) {
    const receiver = parseUserId(userId, ours);
    const contents = parsed.get(receiver) ?? new Map<DeviceId | '*', string>();
    parsed.set(receiver, contents);
    if (!isJsonObject(byDevice)) throw new MatrixError('M_BAD_JSON', `messages.${userId}: must be an object`);
    for (const [deviceId, content] of Object.entries(byDevice)) {
      if (!isJsonObject(content))
        throw new MatrixError('M_BAD_JSON', `messages.${userId}: a message must be an object`);
      contents.set(deviceId as DeviceId, JSON.stringify(content)); // whatever it is: only what is the id of a device is sent to
    }
  }
  return parsed;
}
