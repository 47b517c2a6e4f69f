import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import { CompleteUpgrade } from '#rooms/commands/complete-upgrade';
import { roomIdOfStream, type RoomUpgraded } from '#rooms/facts/room-facts';
import { actForUser } from '../act-for-user.js';

/** Moves what belongs to an upgraded room into its replacement, and silences it: client-server API, "Room Upgrades". */
@Injectable()
export class RoomUpgrade implements Effect {
  readonly name = 'room-upgrade';

  constructor(private readonly commands: CommandBus) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === 'room-upgraded' ? roomIdOfStream(stream) : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const { replacement_room: to, by } = JSON.parse(fact.data) as RoomUpgraded;
    await this.commands.execute(new CompleteUpgrade(actForUser(by, fact), roomIdOfStream(fact.stream), to));
    return true;
  }
}
