import { Injectable } from '@nestjs/common';
import { devicesRemovedBy } from '#devices/facts/device-streams';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import { SlidingConnections } from '#sync/sliding/sliding-connections';

/** Lets what the connections of devices were told go from the log with the devices. */
@Injectable()
export class ClosedConnections implements Effect {
  readonly name = 'connections-of-removed-devices';
  readonly fromStart = true;

  constructor(private readonly connections: SlidingConnections) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === 'devices-removed' ? stream : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    let isDone = false;
    for (const device of devicesRemovedBy(fact)) isDone = (await this.connections.close(device)) || isDone;
    return isDone;
  }
}
