import { Injectable } from '@nestjs/common';
import { ResyncRemoteDevices } from '#devices/resync-remote-devices';
import { userIdOfRemoteDevices } from '#devices/facts/remote-device-facts';
import { RemoteDeviceLists } from '#devices/remote-device-lists';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';

/** Something may be missed again and again while a list is asked for: `ResyncRemoteDevices` goes on then. */
const MOST_TRIES = 3;

/**
 * Asks for the devices of a user of another server where something was missed. A server that does not answer is asked again by
 * `ResyncRemoteDevices`, for as long as that lasts: no dead letter.
 */
@Injectable()
export class MissedDevices implements Effect {
  readonly name = 'missed-devices';
  readonly fromStart = true;

  constructor(
    private readonly lists: RemoteDeviceLists,
    private readonly resync: ResyncRemoteDevices,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === 'remote-devices-missed' ? stream : undefined;
  }

  async run({ stream }: RecordedFact): Promise<boolean> {
    const userId = userIdOfRemoteDevices(stream);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const list = await this.lists.load(userId);
      if (list?.missed === undefined) return tries > 0;
      if (!(await this.resync.resync(userId))) return false;
    }
    return true;
  }
}
