import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import { SettleHandshake } from '#rooms/commands/settle-handshake';
import { type HandshakeBegun, userIdOfElsewhere } from '#rooms/facts/elsewhere-facts';
import { actForUser } from '../act-for-user.js';

/** Finds out what became of what other servers were given of users here and may have taken, as after the end of a process. */
@Injectable()
export class UnfinishedHandshake implements Effect {
  readonly name = 'unfinished-handshake';

  constructor(private readonly commands: CommandBus) {}

  keyOf({ type, stream, data }: RecordedFact): string | undefined {
    if (type !== 'handshake-begun') return undefined;
    return `${stream} ${(JSON.parse(data) as HandshakeBegun).room_id}`;
  }

  run(fact: RecordedFact): Promise<boolean> {
    const { room_id: roomId, event_id: eventId } = JSON.parse(fact.data) as HandshakeBegun;
    const requester = actForUser(userIdOfElsewhere(fact.stream), fact);
    return this.commands.execute<SettleHandshake, boolean>(new SettleHandshake(requester, roomId, eventId));
  }
}
