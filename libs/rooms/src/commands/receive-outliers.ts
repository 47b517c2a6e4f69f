import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId, ServerName } from '#kernel/ids';
import type { Pdu } from '#protocol/room-event';
import { sortByAuth } from '../receive/auth-order.js';
import { type Receipt, Receiving } from './receiving.js';

/**
 * Receives events of which the place in the room is not known: auth chains, and the events of a state. They are judged by their own
 * auth events alone, each after those of it that are among them. What one of them still misses is told, and nothing is done with it.
 * Throws as ReceivePdus.
 */
export class ReceiveOutliers {
  constructor(
    readonly origin: ServerName,
    readonly roomId: RoomId,
    readonly pdus: readonly (Uint8Array | string | Pdu)[],
    /** As of `Arrival`. */
    readonly ofOtherRooms: readonly Pdu[] = [],
  ) {}
}

@CommandHandler(ReceiveOutliers)
export class ReceiveOutliersHandler implements ICommandHandler<ReceiveOutliers> {
  constructor(private readonly receiving: Receiving) {}

  /** `received` is in the order in which they were judged: first what was dropped before. */
  async execute(command: ReceiveOutliers): Promise<Receipt> {
    const { roomId, ofOtherRooms } = command;
    const prepared = await this.receiving.prepareHere(command);
    const sorted = sortByAuth(prepared.filter((pdu) => pdu.kind === 'prepared'));
    const inOrder = [...prepared.filter((pdu) => pdu.kind === 'dropped'), ...sorted];
    const judged = await Promise.all(inOrder.map((pdu) => this.receiving.judgeOutlier(roomId, pdu, ofOtherRooms)));
    return this.receiving.settle(roomId, judged);
  }
}
