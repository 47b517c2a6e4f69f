import { Injectable } from '@nestjs/common';
import type { DevicesRemoved } from '#accounts/facts/account-facts';
import { Inboxes } from '#devices/inboxes';
import type { RecordedFact } from '#event-store/event-store';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';

/** Drops what waited for a device that was removed. Another device of the same id finds nothing of it. */
@Injectable()
export class RemovedDevices implements Effect {
  readonly name = 'inboxes-of-removed-devices';
  readonly fromStart = true;

  constructor(private readonly inboxes: Inboxes) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === 'devices-removed' ? stream : undefined;
  }

  async run({ stream, data, position }: RecordedFact): Promise<boolean> {
    const userId = userIdOfStream(stream);
    let dropped = 0;
    for (const deviceId of (JSON.parse(data) as DevicesRemoved).device_ids) {
      dropped += await this.inboxes.expire([userId, deviceId], position, 'device-removed');
    }
    return dropped > 0;
  }
}
