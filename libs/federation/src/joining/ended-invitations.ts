import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { RoomId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { EndElsewhere, type EndTaken } from '#rooms/commands/end-elsewhere';
import { KeyRing } from '../keys/key-ring.js';
import { takeWithKeys } from './take-with-keys.js';

/** Invitations and knocks of users here at rooms that are not here, which another server says have ended. */
@Injectable()
export class EndedInvitations {
  constructor(
    private readonly bus: CommandBus,
    private readonly keys: KeyRing,
  ) {}

  /** Answers whether an event is such an end, and was taken for it. */
  async take(origin: ServerName, roomId: RoomId, pdu: JsonObject): Promise<boolean> {
    const command = new EndElsewhere(origin, roomId, pdu);
    const taken = await takeWithKeys<boolean>(this.keys, () => this.bus.execute<EndElsewhere, EndTaken>(command));
    return taken === true;
  }
}
