import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId, ServerName } from '#kernel/ids';
import type { Pdu } from '#protocol/room-event';
import type { Arrival } from '../receive/judge-pdu.js';
import { ExtremityMerging } from './merge-extremities.js';
import { type Receipt, Receiving } from './receiving.js';

/**
 * Receives events of a room from another server: server-server API, "Checks performed on receipt of a PDU". Bad ones are outcomes
 * and never thrown. What an event misses is told, for the caller to fetch; it waits meanwhile, and is judged when what it waits for
 * is received. Only what has landed is here for good. Of an event whose content is not what was signed nothing is kept either, but
 * that the whole one is wanted is told: where nobody has it, the event is to be received again as what is left of it (`Arrival`).
 *
 * Throws M_FORBIDDEN for a room that this server does not have, and where the log or the views cannot be reached: then some may
 * be here and others not, and all are to be received again.
 */
export class ReceivePdus {
  constructor(
    readonly origin: ServerName,
    readonly roomId: RoomId,
    /** Their bytes, or as `parseJson` made them of those; parents before children where the caller knows. */
    readonly pdus: readonly (Uint8Array | string | Pdu)[],
    readonly arrival: Arrival = {},
  ) {}
}

@CommandHandler(ReceivePdus)
export class ReceivePdusHandler implements ICommandHandler<ReceivePdus> {
  constructor(
    private readonly receiving: Receiving,
    private readonly merging: ExtremityMerging,
  ) {}

  async execute(command: ReceivePdus): Promise<Receipt> {
    const { roomId, arrival } = command;
    const prepared = await this.receiving.prepareHere(command);
    const judged = await Promise.all(prepared.map((pdu) => this.receiving.judge(roomId, pdu, arrival)));
    const receipt = await this.receiving.settle(roomId, judged);
    await this.merging.merge(roomId, receipt.open);
    return receipt;
  }
}
