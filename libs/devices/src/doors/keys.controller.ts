import { Controller, HttpCode, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { TODAY, under } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { UploadKeys } from '../commands/upload-keys.js';
import { clientCounts } from '../queries/key-counts.js';
import { findObject, parseDeviceKeys, parseNamedKeys } from './parse-keys.js';

/** The keys of devices (client-server API, module "End-to-End Encryption"). */
@Authenticated({ guests: true })
@RateLimited('default')
@Controller(under(TODAY, 'keys'))
export class KeysController {
  constructor(private readonly commands: CommandBus) {}

  @Post('upload')
  @HttpCode(200)
  async upload(@CurrentRequester() requester: Requester, @JsonBody() body: JsonObject): Promise<object> {
    const { userId, deviceId } = requester;
    const deviceKeys = findObject(body, 'device_keys');
    const upload = {
      deviceKeys: deviceKeys && parseDeviceKeys(deviceKeys, userId, deviceId),
      oneTimeKeys: parseNamedKeys('one_time_keys', findObject(body, 'one_time_keys')),
      fallbackKeys: parseNamedKeys('fallback_keys', findObject(body, 'fallback_keys')),
    };
    const counts = await this.commands.execute(new UploadKeys(requester, upload));
    return { one_time_key_counts: clientCounts(counts) };
  }
}
