import { Injectable } from '@nestjs/common';
import { DeviceKeys } from '#devices/device-keys';
import { devicesRemovedBy } from '#devices/facts/device-streams';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';

/** Lets the keys of devices that were removed go from the log. Those of another device that was made under the same id stay. */
@Injectable()
export class RemovedKeys implements Effect {
  readonly name = 'keys-of-removed-devices';
  readonly fromStart = true;

  constructor(private readonly deviceKeys: DeviceKeys) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === 'devices-removed' ? stream : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    let isDone = false;
    for (const device of devicesRemovedBy(fact)) {
      isDone = (await this.deviceKeys.end(device, fact.metadata.at)) || isDone;
    }
    return isDone;
  }
}
