import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId, ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Pdu } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { headBeforeCreate } from '#rooms/decide/room-head';
import { liveRoom } from '#rooms/worker/live-room';
import { RoomWorkers } from '#rooms/worker/room-workers';
import { type Received, Receiving } from '#rooms/commands/receiving';

/**
 * Begins a room of another server here with its create event, so that all the rest of it can be received as events: a server that
 * joins a room is told its state instead (`ReceiveRoom`). Throws M_UNKNOWN where the event does not begin the room, and as
 * ReceivePdus.
 */
export class TakeInRoom {
  constructor(
    readonly origin: ServerName,
    readonly roomId: RoomId,
    readonly version: RoomVersion,
    readonly create: Uint8Array | string | Pdu,
  ) {}
}

@CommandHandler(TakeInRoom)
export class TakeInRoomHandler implements ICommandHandler<TakeInRoom> {
  constructor(
    private readonly workers: RoomWorkers,
    private readonly receiving: Receiving,
  ) {}

  async execute({ origin, roomId, version, create }: TakeInRoom): Promise<Received> {
    const pdu = (await this.receiving.prepare([create], { roomId, version, origin }))[0]!;
    if (pdu.kind === 'dropped') return pdu;
    if ((await this.receiving.findVersion(roomId, origin)) !== undefined) {
      return (await this.receiving.judge(roomId, pdu)).received;
    }
    const seed = liveRoom(roomId, headBeforeCreate(version, pdu.event));
    const { result } = await this.workers.create(seed, { actor: origin }, async (turn) => {
      const judged = await this.receiving.judgeInTurn(turn, { pdu, arrival: {} });
      if ('question' in judged) throw new Error('A room that begins has no policy');
      const { received } = judged;
      // A stream begins with a create event: nothing else is written into an empty one.
      if (received.kind !== 'accepted') throw new MatrixError('M_UNKNOWN', 'This event does not begin the room');
      return received;
    });
    return result;
  }
}
