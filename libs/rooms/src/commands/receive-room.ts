import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Pdu } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { type LeftOut, type Pdus, RoomTelling } from '../joining/room-telling.js';
import type { Dropped, PreparedPdu } from '../receive/outcome.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { Joining } from './joining.js';
import { Receiving } from './receiving.js';

/**
 * Receives a whole room that this server does not have: what another server answers to the join of a user here. Server-server API,
 * "Joining Rooms". Nothing of it shows before all of it is here; where the process ends meanwhile it is completed or given up
 * (`SettleJoin`), and local users are told that there is no such room.
 *
 * Events that do not pass the checks are left out, and those that rest on them. Where the state is none, or does not allow the
 * join event, it is given up, and may begin again, through another server and with another create event too. Throws M_UNKNOWN for a
 * room that is here, and where the log cannot be reached.
 */
export class ReceiveRoom {
  constructor(
    readonly origin: ServerName,
    readonly roomId: RoomId,
    readonly version: RoomVersion,
    readonly told: {
      readonly create: Uint8Array | string | Pdu;
      readonly authChain: Pdus;
      readonly state: Pdus;
      /** The join event as it is signed in the end. */
      readonly join: Uint8Array | string | Pdu;
    },
  ) {}
}

/** What became of a join that brings a room here. */
export type RoomReceived =
  | { readonly kind: 'joined'; readonly eventId: EventId; readonly position: Position; readonly leftOut: LeftOut }
  | { readonly kind: 'given-up'; readonly reason: string; readonly leftOut: LeftOut };

@CommandHandler(ReceiveRoom)
export class ReceiveRoomHandler implements ICommandHandler<ReceiveRoom> {
  constructor(
    private readonly workers: RoomWorkers,
    private readonly receiving: Receiving,
    private readonly joining: Joining,
  ) {}

  execute(command: ReceiveRoom): Promise<RoomReceived> {
    return this.joining.run(command.roomId, () => this.#receive(command));
  }

  async #receive(command: ReceiveRoom): Promise<RoomReceived> {
    const { told } = command;
    const [create, join] = await this.receiving.prepare([told.create, told.join], command);
    for (const one of [create!, join!]) {
      if (one.kind === 'dropped') return { kind: 'given-up', reason: one.reason, leftOut: leftOutOf(one) };
    }
    return this.#take(command, create as PreparedPdu, join as PreparedPdu);
  }

  async #take({ roomId, version, told }: ReceiveRoom, create: PreparedPdu, join: PreparedPdu): Promise<RoomReceived> {
    const { eventId } = join.event;
    const { workers, receiving, joining } = this;
    const telling = await RoomTelling.begin(create, join, version, joining.store, workers, receiving);
    const refusal = (await telling.storeOutliers(told, join)) ?? (await telling.learnState(eventId));
    const completed = refusal === undefined ? await joining.complete(telling.room, telling.begun, join) : { refusal };
    const { leftOut } = telling;
    if (typeof completed === 'string') return { kind: 'joined', eventId, position: completed, leftOut };
    await joining.giveUp(roomId, telling.begun, completed.refusal);
    return { kind: 'given-up', reason: completed.refusal, leftOut };
  }
}

function leftOutOf({ wantedKeys }: Dropped): LeftOut {
  return { count: 1, wantedKeys };
}
