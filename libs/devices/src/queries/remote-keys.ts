import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { DeviceId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { VIEWS, type Views } from '#projections/views';
import { ResyncRemoteDevices } from '../resync-remote-devices.js';
import type { RemoteDevice, RemoteSigningKeys } from '../facts/remote-device-facts.js';
import { REMOTE_DEVICES } from '../projections/remote-devices.projector.js';
import { isTracked } from './is-tracked.js';
import { SeenSignatures, signingKeysOf } from './seen-signatures.js';
import type { KeyReader, UserKeys } from './user-keys.js';

/** What is known of a user of another server, and whether that server had to be asked and did not answer. */
export interface RemoteUserKeys {
  readonly keys: UserKeys | undefined;
  readonly hasFailed: boolean;
}

/** A list of devices, whoever told it. */
interface DeviceList extends RemoteSigningKeys {
  readonly devices: readonly RemoteDevice[];
}

/**
 * The keys of users of other servers. Whoever shares a room with somebody here has a list here, which their server keeps us posted of; of
 * others their server is asked each time.
 */
@Injectable()
export class RemoteKeys {
  constructor(
    private readonly resync: ResyncRemoteDevices,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** The keys of a user as the reader is shown them: of the devices named, or all. A list that is old is better than none. */
  async read(
    userId: UserId,
    deviceIds: readonly DeviceId[],
    reader: KeyReader,
    timeoutMs?: number,
  ): Promise<RemoteUserKeys> {
    const { list, hasFailed } = await this.#listOf(userId, timeoutMs);
    if (list === undefined) return { keys: undefined, hasFailed };
    const seen = await SeenSignatures.read(this.views, userId, signingKeysOf(list), reader);
    const wanted = deviceIds.length === 0 ? undefined : new Set(deviceIds);
    const isNamed = await reader.mates.has(userId);
    const devices = new Map<DeviceId, JsonObject>();
    for (const { device_id: id, keys, device_display_name: name } of list.devices) {
      if (keys === undefined || wanted?.has(id) === false) continue;
      const unsigned = isNamed && name !== undefined ? { device_display_name: name } : {};
      devices.set(id, { ...seen.signed(id, keys), unsigned });
    }
    return { keys: { devices, crossSigning: seen.shown(false) }, hasFailed };
  }

  async #listOf(userId: UserId, timeoutMs: number | undefined): Promise<{ list?: DeviceList; hasFailed: boolean }> {
    const { serverName } = this.config;
    const known = await REMOTE_DEVICES.get(this.views, [userId]);
    const isListed = known?.listed !== undefined;
    if (isListed && known.missed === undefined && (await isTracked(this.views, userId, serverName, known.listed))) {
      return { list: known, hasFailed: false };
    }
    if (!(await isTracked(this.views, userId, serverName))) {
      const list = await this.resync.ask(userId, timeoutMs);
      return { list, hasFailed: list === undefined };
    }
    const isHere = await this.resync.resync(userId, timeoutMs);
    const list = isHere ? await REMOTE_DEVICES.get(this.views, [userId]) : isListed ? known : undefined;
    return { list, hasFailed: !isHere };
  }
}
