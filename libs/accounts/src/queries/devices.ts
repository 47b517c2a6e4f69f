import { Inject, Injectable } from '@nestjs/common';
import type { DeviceId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import type { DeviceRecord } from '../decide/device-tokens.js';
import { DEVICES } from '../projections/devices.projector.js';
import { KnownTokens, type Seen } from '../sessions/known-tokens.js';

/** A device as its owner sees it (client-server API, module "Device Management"). */
export interface ClientDevice {
  readonly device_id: DeviceId;
  readonly display_name?: string;
  /** Milliseconds; only where this process has seen a request of the device. */
  readonly last_seen_ts?: number;
  readonly last_seen_ip?: string;
}

const MOST = 10_000;

/** The devices of local users. */
@Injectable()
export class Devices {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly tokens: KnownTokens,
  ) {}

  /** All devices of the user. */
  async list(userId: UserId): Promise<ClientDevice[]> {
    const rows = await DEVICES.scan(this.views, { prefix: [userId], limit: MOST });
    return rows.map(({ key: [, deviceId], value }) => this.#shown(userId, deviceId, value));
  }

  /** By what each device of the user was used last, as far as this process remembers. */
  async connections(userId: UserId): Promise<ReadonlyMap<DeviceId, Seen | undefined>> {
    const rows = await DEVICES.scan(this.views, { prefix: [userId], limit: MOST });
    return new Map(rows.map(({ key: [, deviceId] }) => [deviceId, this.tokens.lastSeen(userId, deviceId)]));
  }

  /** One device of the user. Throws M_NOT_FOUND. */
  async get(userId: UserId, deviceId: DeviceId): Promise<ClientDevice> {
    const row = await DEVICES.get(this.views, [userId, deviceId]);
    if (row === undefined) throw new MatrixError('M_NOT_FOUND', 'No such device');
    return this.#shown(userId, deviceId, row);
  }

  #shown(userId: UserId, deviceId: DeviceId, { display_name: displayName }: DeviceRecord): ClientDevice {
    const lastSeen = this.tokens.lastSeen(userId, deviceId);
    return {
      device_id: deviceId,
      ...(displayName === undefined ? {} : { display_name: displayName }),
      ...(lastSeen === undefined ? {} : { last_seen_ts: lastSeen.at }),
      ...(lastSeen?.ip === undefined ? {} : { last_seen_ip: lastSeen.ip }),
    };
  }
}
