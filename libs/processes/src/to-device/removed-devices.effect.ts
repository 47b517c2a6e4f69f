import { Injectable } from '@nestjs/common';
import { devicesRemovedBy } from '#devices/facts/device-streams';
import { Inboxes } from '#devices/inboxes';
import type { RecordedFact } from '#event-store/event-store';
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

  async run(fact: RecordedFact): Promise<boolean> {
    let dropped = 0;
    for (const device of devicesRemovedBy(fact)) {
      dropped += await this.inboxes.expire(device, fact.position, 'device-removed');
    }
    return dropped > 0;
  }
}
