import { Controller, HttpCode, Post } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester, OwnersOnly, WhileSuspended } from '#http/authenticated';
import { TODAY, under } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { ClaimKeys } from '../commands/claim-keys.js';
import { UploadKeys } from '../commands/upload-keys.js';
import type { KeyUsage } from '../facts/cross-signing-facts.js';
import { nameOfKey } from '../decide/keys-of-device.js';
import { clientCounts } from '../queries/key-counts.js';
import { parseWantedDevices, parseWantedKeys } from '../parse-wanted.js';
import { QueryKeys } from '../queries/query-keys.js';
import { findObject, parseDeviceKeys, parseNamedKeys } from './parse-keys.js';

/** The keys of devices (client-server API, module "End-to-End Encryption"). */
@WhileSuspended()
@Authenticated({ guests: true })
@RateLimited('default')
@Controller(under(TODAY, 'keys'))
export class KeysController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @OwnersOnly()
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

  @Post('query')
  @HttpCode(200)
  async query(@CurrentRequester() requester: Requester, @JsonBody() body: JsonObject): Promise<object> {
    const { users, failures } = await this.queries.execute(
      new QueryKeys(requester, parseWantedDevices(body), findTimeout(body)),
    );
    const keysFor = (usage: KeyUsage): object =>
      objectOf(
        [...users].flatMap(([userId, { crossSigning }]) =>
          crossSigning[usage] ? [[userId, crossSigning[usage]]] : [],
        ),
      );
    return {
      device_keys: objectOf([...users].map(([userId, { devices }]) => [userId, objectOf(devices)])),
      failures: failuresOf(failures),
      master_keys: keysFor('master'),
      self_signing_keys: keysFor('self_signing'),
      user_signing_keys: keysFor('user_signing'),
    };
  }

  @Post('claim')
  @HttpCode(200)
  async claim(@CurrentRequester() requester: Requester, @JsonBody() body: JsonObject): Promise<object> {
    const { keys, failures } = await this.commands.execute(
      new ClaimKeys(requester, parseWantedKeys(body), findTimeout(body)),
    );
    const users = new Map<string, [deviceId: string, keys: object][]>();
    for (const { device, key } of keys) {
      const [userId, deviceId] = device;
      users.set(userId, [...(users.get(userId) ?? []), [deviceId, objectOf([[nameOfKey(key), key.key]])]]);
    }
    return {
      one_time_keys: objectOf([...users].map(([userId, devices]) => [userId, objectOf(devices)])),
      failures: failuresOf(failures),
    };
  }
}

const MAX_TIMEOUT_MS = 60_000;

/** `timeout` of a body, in milliseconds; what is no such number is not there. */
function findTimeout({ timeout }: JsonObject): number | undefined {
  return typeof timeout === 'number' && timeout > 0 ? Math.min(timeout, MAX_TIMEOUT_MS) : undefined;
}

/** An object with any keys, `__proto__` too. */
function objectOf(entries: Iterable<readonly [string, unknown]>): object {
  return Object.fromEntries(entries);
}

/** What is told of servers that could not be asked. */
function failuresOf(servers: ReadonlySet<ServerName>): object {
  return objectOf([...servers].map((server) => [server, { error: 'The server cannot be asked now' }]));
}
