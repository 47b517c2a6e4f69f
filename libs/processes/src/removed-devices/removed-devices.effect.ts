import { Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import { DeviceKeys } from '#devices/device-keys';
import { devicesRemovedBy } from '#devices/facts/device-streams';
import { Inboxes } from '#devices/inboxes';
import type { RecordedFact } from '#event-store/event-store';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';
import { SlidingConnections } from '#sync/sliding/sliding-connections';

/**
 * Lets what belongs to devices go with them: their keys and what their connections of sliding sync were told from the log, and what waited
 * for them. Another device that was made under the same id keeps its keys, and finds nothing of what waited.
 */
@Injectable()
export class RemovedDevices implements Effect {
  readonly name = 'removed-devices';
  readonly fromStart = true;

  constructor(
    private readonly accounts: Accounts,
    private readonly deviceKeys: DeviceKeys,
    private readonly inboxes: Inboxes,
    private readonly connections: SlidingConnections,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === 'devices-removed' ? stream : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    let isDone = false;
    const { devices } = await this.accounts.load(userIdOfStream(fact.stream));
    for (const device of devicesRemovedBy(fact)) {
      // Clocks are put right: the time counts only of one that was made again under its id.
      const hadKeys = await this.deviceKeys.end(device, devices.has(device[1]) ? fact.metadata.at : Infinity);
      const dropped = await this.inboxes.expire(device, fact.position, 'device-removed');
      const wasConnected = await this.connections.close(device);
      isDone ||= hadKeys || dropped > 0 || wasConnected;
    }
    return isDone;
  }
}
