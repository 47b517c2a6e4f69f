import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { type InviteTaken, TakeInvite } from '#rooms/commands/take-invite';
import { KeyRing } from '../keys/key-ring.js';
import { Refusals } from '../refusals/refusals.js';
import { takeWithKeys } from './take-with-keys.js';

/** Our side of invitations by which users here are asked into rooms of other servers. */
@Injectable()
export class InviteHandshakes {
  constructor(
    private readonly bus: CommandBus,
    private readonly keys: KeyRing,
    private readonly refusals: Refusals,
  ) {}

  /** The event with our signature, as `TakeInvite`; keys that lack are fetched. Throws M_FORBIDDEN too where there are none. */
  async take(command: TakeInvite): Promise<JsonObject> {
    try {
      return await this.#take(command);
    } catch (error) {
      const { origin, roomId, eventId } = command;
      if (error instanceof MatrixError) {
        this.refusals.note(origin, { kind: 'invitation', room_id: roomId, event_id: eventId, reason: error.message });
      }
      throw error;
    }
  }

  async #take(command: TakeInvite): Promise<JsonObject> {
    const take = (): Promise<InviteTaken> => this.bus.execute<TakeInvite, InviteTaken>(command);
    const taken = await takeWithKeys<{ readonly pdu: JsonObject }>(this.keys, take);
    if (taken === undefined) throw new MatrixError('M_FORBIDDEN', 'The key that signed the event is not known');
    return taken.pdu;
  }
}
