import { Injectable } from '@nestjs/common';
import type { DevicesRemoved } from '#accounts/facts/account-facts';
import { DeviceKeys } from '#devices/device-keys';
import type { RecordedFact } from '#event-store/event-store';
import { userIdOfStream } from '#kernel/user-stream';
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

  async run({ stream, data, metadata }: RecordedFact): Promise<boolean> {
    const userId = userIdOfStream(stream);
    let isDone = false;
    for (const deviceId of (JSON.parse(data) as DevicesRemoved).device_ids) {
      isDone = (await this.deviceKeys.end([userId, deviceId], metadata.at)) || isDone;
    }
    return isDone;
  }
}
