import { Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { ClaimHere } from '#devices/commands/claim-here';
import { parseWantedDevices, parseWantedKeys } from '#devices/parse-wanted';
import { readKeysForServer } from '#devices/queries/keys-for-servers';
import type { UserKeys } from '#devices/queries/user-keys';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { eachInTurns } from '#projections/each-in-turns';
import { VIEWS, type Views } from '#projections/views';
import { findDeviceListPlace } from '../projections/device-updates.projector.js';
import { FromServer, Origin, ServerContent } from './from-server.js';
import { parsePeersUser } from './parse-peers-user.js';

/** How many users are read at once. */
const AT_ONCE = 16;

/**
 * The devices of our users, and keys to write to them: server-server API, "Device Management", "End-to-End Encryption". Whoever asks is
 * told: keys are public. Users of other servers are left out, for these are to be asked themselves.
 */
@Controller('_matrix/federation/v1/user')
@FromServer()
export class DevicesController {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EVENT_STORE) private readonly store: Pick<EventStore, 'head'>,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly claims: ClaimHere,
  ) {}

  @Get('devices/:userId')
  async devices(@Origin() origin: ServerName, @Param('userId') text: string): Promise<object> {
    const userId = parsePeersUser(text);
    if (!this.#isOurs(userId)) throw new MatrixError('M_INVALID_PARAM', `${userId} is not of this server`);
    // Who has just come to a room with the user was told of nothing before that.
    await this.views.whenProcessed(await this.store.head());
    // Before the devices: what changes meanwhile comes again as an update. What has a number is to be among them.
    const { stream_id: streamId, position } = await findDeviceListPlace(this.views, userId);
    await this.views.whenProcessed(position);
    const { devices, crossSigning } = await readKeysForServer(this.views, origin, userId);
    const { master, self_signing } = crossSigning;
    return {
      user_id: userId,
      stream_id: streamId,
      devices: [...devices].map(([deviceId, keys]) => ({ device_id: deviceId, keys: withoutUnsigned(keys) })),
      ...(master === undefined ? {} : { master_key: master }),
      ...(self_signing === undefined ? {} : { self_signing_key: self_signing }),
    };
  }

  @Post('keys/query')
  @HttpCode(200)
  async query(@Origin() origin: ServerName, @ServerContent() content: JsonObject): Promise<object> {
    const ours = [...parseWantedDevices(content)].filter(([userId]) => this.#isOurs(userId));
    const users = await eachInTurns(ours, AT_ONCE, async ([userId, deviceIds]) => {
      return [userId, await readKeysForServer(this.views, origin, userId, deviceIds)] as const;
    });
    const keysFor = (usage: 'master' | 'self_signing'): object => {
      const found = users.flatMap(([userId, { crossSigning }]) =>
        crossSigning[usage] === undefined ? [] : [[userId, crossSigning[usage]] as const],
      );
      return Object.fromEntries(found);
    };
    return {
      device_keys: Object.fromEntries(users.map(([userId, keys]) => [userId, devicesOf(keys)])),
      master_keys: keysFor('master'),
      self_signing_keys: keysFor('self_signing'),
    };
  }

  @Post('keys/claim')
  @HttpCode(200)
  async claim(@Origin() origin: ServerName, @ServerContent() content: JsonObject): Promise<object> {
    const wanted = parseWantedKeys(content).filter(({ device }) => this.#isOurs(device[0]));
    const users = new Map<UserId, [deviceId: string, keys: object][]>();
    for (const { device, key } of await this.claims.claim(wanted, origin)) {
      const [userId, deviceId] = device;
      const keys = Object.fromEntries([[`${key.algorithm}:${key.key_id}`, key.key]]);
      users.set(userId, [...(users.get(userId) ?? []), [deviceId, keys]]);
    }
    return {
      one_time_keys: Object.fromEntries([...users].map(([userId, devices]) => [userId, Object.fromEntries(devices)])),
    };
  }

  #isOurs(userId: UserId): boolean {
    return serverNameOf(userId) === this.config.serverName;
  }
}

function devicesOf({ devices }: UserKeys): object {
  return Object.fromEntries(devices);
}

function withoutUnsigned({ unsigned: _unsigned, ...keys }: JsonObject): JsonObject {
  return keys;
}
