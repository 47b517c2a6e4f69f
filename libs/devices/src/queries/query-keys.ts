import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DEVICES } from '#accounts/projections/devices.projector';
import { CONFIG, type Config } from '#config/config';
import { type DeviceId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { Slots } from '#kernel/slots';
import { VIEWS, type Views } from '#projections/views';
import { DEVICE_KEYS, type DeviceKeysRow } from '../projections/device-keys.projector.js';
import { RoomMates } from './room-mates.js';
import type { KeyReader, UserKeys } from './user-keys.js';
import { RemoteKeys } from './remote-keys.js';
import { readCrossSigningKeys, SeenSignatures } from './seen-signatures.js';

/** Whose devices are asked for: those named, or all where none is. */
export type WantedDevices = ReadonlyMap<UserId, readonly DeviceId[]>;

/** What users have published, and the servers that could not be asked. */
export interface QueriedKeys {
  readonly users: ReadonlyMap<UserId, UserKeys>;
  readonly failures: ReadonlySet<ServerName>;
}

/**
 * The public keys of users and their devices: client-server API, "End-to-End Encryption", POST /keys/query. The name of a device is told
 * only to whom its owner shares a room with, the user-signing key only to its owner. Each user of this server is there, with no keys where
 * they have none or have no account. NOTSPEC: who has no account would be left out; clients of matrix-rust-sdk ask for whom they are not
 * told of again and again, as for somebody who was invited by a mistyped id.
 */
export class QueryKeys extends Query<QueriedKeys> {
  constructor(
    readonly requester: Requester,
    readonly wanted: WantedDevices,
    /** How long to wait for other servers, in milliseconds. */
    readonly timeoutMs?: number,
  ) {
    super();
  }
}

/** All devices of a user are read: accounts let nobody have more. */
const MOST_DEVICES = 10_000;
/** How many users are read at once. */
const AT_ONCE = 16;

@QueryHandler(QueryKeys)
export class QueryKeysHandler implements IQueryHandler<QueryKeys> {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly remote: RemoteKeys,
  ) {}

  async execute({ requester, wanted, timeoutMs }: QueryKeys): Promise<QueriedKeys> {
    const reader: KeyReader = {
      reader: requester.userId,
      ofReader: await readCrossSigningKeys(this.views, requester.userId),
      mates: new RoomMates(this.views, requester.userId),
    };
    const slots = new Slots(AT_ONCE);
    const failures = new Set<ServerName>();
    const users = new Map<UserId, UserKeys>();
    const read = async (userId: UserId, deviceIds: readonly DeviceId[]): Promise<void> => {
      users.set(userId, await this.#keysOf(userId, deviceIds, reader));
    };
    const readRemote = async (userId: UserId, deviceIds: readonly DeviceId[]): Promise<void> => {
      const { keys, hasFailed } = await this.remote.read(userId, deviceIds, reader, timeoutMs);
      if (keys !== undefined) users.set(userId, keys);
      if (hasFailed) failures.add(serverNameOf(userId));
    };
    await Promise.all(
      [...wanted].map(([userId, deviceIds]) => {
        const isOurs = serverNameOf(userId) === this.config.serverName;
        return slots.run(() => (isOurs ? read : readRemote)(userId, deviceIds));
      }),
    );
    return { users, failures };
  }

  async #keysOf(userId: UserId, deviceIds: readonly DeviceId[], reader: KeyReader): Promise<UserKeys> {
    const keys = userId === reader.reader ? reader.ofReader : await readCrossSigningKeys(this.views, userId);
    const seen = await SeenSignatures.read(this.views, userId, keys, reader);
    const devices = await this.#devicesOf(userId, deviceIds, seen, reader.mates);
    return { devices, crossSigning: seen.shown(userId === reader.reader) };
  }

  async #devicesOf(
    userId: UserId,
    deviceIds: readonly DeviceId[],
    seen: SeenSignatures,
    mates: RoomMates,
  ): Promise<ReadonlyMap<DeviceId, JsonObject>> {
    const rows = await this.#rowsOf(userId, deviceIds);
    const devices = await DEVICES.getMany(
      this.views,
      rows.map(([deviceId]) => [userId, deviceId]),
    );
    const keys = new Map<DeviceId, JsonObject>();
    for (const [i, [deviceId, row]] of rows.entries()) {
      const device = devices[i];
      // A row of a former device of that id says nothing of this one.
      if (device?.created_ts !== row.created_ts) continue;
      const isNamed = device.display_name !== undefined && (await mates.has(userId));
      keys.set(deviceId, {
        ...seen.signed(deviceId, row.device_keys),
        unsigned: isNamed ? { device_display_name: device.display_name } : {},
      });
    }
    return keys;
  }

  async #rowsOf(userId: UserId, deviceIds: readonly DeviceId[]): Promise<(readonly [DeviceId, DeviceKeysRow])[]> {
    if (deviceIds.length === 0) {
      const rows = await DEVICE_KEYS.scan(this.views, {
        prefix: [userId],
        limit: MOST_DEVICES,
      });
      return rows.map(({ key, value }) => [key[1], value]);
    }
    const unique = [...new Set(deviceIds)];
    const rows = await DEVICE_KEYS.getMany(
      this.views,
      unique.map((deviceId) => [userId, deviceId]),
    );
    return unique.flatMap((deviceId, i) => (rows[i] === undefined ? [] : [[deviceId, rows[i]] as const]));
  }
}
