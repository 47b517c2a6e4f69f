import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { VIEWS, type Views } from '#projections/views';
import { decideDeviceUpdate, decideSigningKeyUpdate } from '../decide/remote-devices.js';
import { REMOTE_DEVICES } from '../projections/remote-devices.projector.js';
import { isTracked } from '../queries/is-tracked.js';
import { parseDeviceUpdate, parseSigningKeys } from '../receive/parse-remote-devices.js';
import { RemoteDeviceLists } from '../remote-device-lists.js';

/**
 * What other servers tell of their users' devices. What is of no readable form, of a user of another server than the one that tells it,
 * or of one who shares no room with anybody here, is let be: nobody here asks for it.
 */
@Injectable()
export class ReceiveDeviceLists {
  constructor(
    private readonly lists: RemoteDeviceLists,
    @Inject(VIEWS) private readonly views: Pick<Views, 'get' | 'scan'>,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** An `m.device_list_update` (server-server API, "Device Management"). Answers whether anything came of it. */
  async update(origin: ServerName, content: JsonObject): Promise<boolean> {
    const parsed = parseDeviceUpdate(content);
    if (parsed === undefined || !(await this.#isHeard(origin, parsed.userId))) return false;
    const row = await REMOTE_DEVICES.get(this.views, [parsed.userId]);
    const tracked = row?.listed !== undefined && (await this.#isTracked(parsed.userId, row.listed));
    return this.lists.change(parsed.userId, (list) => decideDeviceUpdate(list, parsed, tracked));
  }

  /** An `m.signing_key_update` (server-server API, "End-to-End Encryption"). Answers whether anything came of it. */
  async updateSigningKeys(origin: ServerName, content: JsonObject): Promise<boolean> {
    const userId = content['user_id'] as UserId; // as far as it is one
    if (typeof userId !== 'string' || !(await this.#isHeard(origin, userId))) return false;
    const keys = parseSigningKeys(userId, content);
    return this.lists.change(userId, (list) => decideSigningKeyUpdate(list, keys));
  }

  /** Something else tells that a list is old, as a message from a device that is not in it. */
  async miss(userId: UserId): Promise<boolean> {
    if (!(await this.#isTracked(userId))) return false;
    return this.lists.change(userId, (list) =>
      list?.missed !== undefined ? [] : [{ type: 'remote-devices-missed', data: {} }],
    );
  }

  async #isHeard(origin: ServerName, userId: UserId): Promise<boolean> {
    if (origin === this.config.serverName || serverNameOf(userId) !== origin) return false;
    return this.#isTracked(userId);
  }

  #isTracked(userId: UserId, since?: Parameters<typeof isTracked>[3]): Promise<boolean> {
    return isTracked(this.views, userId, this.config.serverName, since);
  }
}
