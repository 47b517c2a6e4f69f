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
    for (const device of devicesRemovedBy(fact)) {
      // Before it is looked whether it is there: one may be made again under its id meanwhile.
      const known = await this.deviceKeys.findMadeAt(device);
      const isThere = (await this.accounts.load(userIdOfStream(fact.stream))).devices.has(device[1]);
      const hadKeys = await this.deviceKeys.end(
        device,
        // Clocks are put right: by the time alone it goes only where one was made again.
        (madeAt) => madeAt < fact.metadata.at || (!isThere && madeAt === known),
      );
      const dropped = await this.inboxes.expire(device, fact.position, 'device-removed');
      const wasConnected = await this.connections.close(device);
      isDone ||= hadKeys || dropped > 0 || wasConnected;
    }
    return isDone;
  }
}
