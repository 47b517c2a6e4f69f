import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { EventId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { type InviteTaken, TakeInvite } from '#rooms/commands/take-invite';
import { ReceivedEvents } from '#rooms/queries/received-events';
import { InboundQueue } from '../inbound/inbound-queue.js';
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
    private readonly received: ReceivedEvents,
    private readonly queue: InboundQueue,
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
    await this.#letWait(command, taken.pdu);
    return taken.pdu;
  }

  /**
   * Of a room of which a part is here nothing is decided before the rest is, and who was put out of it meanwhile is sent nothing more of it: so
   * the invitation waits as what comes in transactions. Throws M_LIMIT_EXCEEDED where too much waits.
   */
  async #letWait({ origin, roomId, eventId }: TakeInvite, pdu: JsonObject): Promise<void> {
    if ((await this.received.findPartial(roomId)) === undefined) return;
    // Its id is that which the other server said (`TakeInvite`).
    const waits = { roomId, eventId: eventId as EventId, origin, text: canonicalJson(pdu, { lenient: true }) };
    const { waiting } = await this.queue.add(origin, [waits]);
    if (waiting.length === 0) throw new MatrixError('M_LIMIT_EXCEEDED');
  }
}
