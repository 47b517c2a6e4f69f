import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import { SettleJoin } from '#rooms/commands/settle-join';
import { roomIdOfStream } from '#rooms/facts/room-facts';

/** Ends a join of a room of other servers that nobody goes on with, as after the end of a process. */
@Injectable()
export class UnfinishedJoin implements Effect {
  readonly name = 'unfinished-join';

  constructor(private readonly commands: CommandBus) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === 'join-begun' ? roomIdOfStream(stream) : undefined;
  }

  run({ stream }: RecordedFact): Promise<boolean> {
    return this.commands.execute<SettleJoin, boolean>(new SettleJoin(roomIdOfStream(stream)));
  }
}
