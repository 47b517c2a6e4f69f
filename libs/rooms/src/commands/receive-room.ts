import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Pdu } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { type LeftOut, type Pdus, RoomTelling } from '../joining/room-telling.js';
import type { Dropped, PreparedPdu } from '../receive/outcome.js';
import { RoomIsHere } from '../worker/join-in-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { type JoinEnd, Joining } from '../joining/joining.js';
import { Receiving } from './receiving.js';

/**
 * Receives a whole room that this server does not have: what another server answers to the join of a user here. Server-server API,
 * "Joining Rooms". Nothing of it shows before all of it is here; where the process ends meanwhile it is completed or given up
 * (`SettleJoin`), and local users are told that there is no such room.
 *
 * Events that do not pass the checks are left out, and those that rest on them. Where the state is none, or does not allow the
 * join event, it is given up, and may begin again, through another server and with another create event too. Throws M_UNKNOWN for a
 * room that is here, and where the log cannot be reached. Where another join of the room is under way, in another process too, this
 * one waits for it, and is answered as that ended where it is the same user's.
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
      /** Members are left out of the state: the servers that have some in the room, which is partial then (`FillRoom`). */
      readonly servers?: readonly ServerName[] | undefined;
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

  async execute(command: ReceiveRoom): Promise<RoomReceived> {
    const { told, roomId } = command;
    const [create, join] = await this.receiving.prepare([told.create, told.join], command);
    for (const one of [create!, join!]) {
      if (one.kind === 'dropped') return { kind: 'given-up', reason: one.reason, leftOut: leftOutOf(one) };
    }
    const last = join as PreparedPdu;
    return this.joining.run(
      roomId,
      () => this.#take(command, create as PreparedPdu, last),
      (end) => answerAs(end, last.event.sender),
    );
  }

  async #take({ roomId, version, told }: ReceiveRoom, create: PreparedPdu, join: PreparedPdu): Promise<RoomReceived> {
    const { workers, receiving, joining } = this;
    const telling = await RoomTelling.begin(
      { create, join, servers: told.servers },
      version,
      joining.store,
      workers,
      receiving,
    );
    try {
      return await this.#complete(roomId, telling, told, join);
    } catch (error) {
      await joining.leave(roomId, telling.begun);
      throw error;
    }
  }

  async #complete(
    roomId: RoomId,
    telling: RoomTelling,
    told: ReceiveRoom['told'],
    join: PreparedPdu,
  ): Promise<RoomReceived> {
    const { eventId } = join.event;
    const isPartial = told.servers !== undefined;
    const refusal = (await telling.storeOutliers(told, join)) ?? (await telling.learnState(join.event, isPartial));
    const completed =
      refusal === undefined ? await this.joining.complete(telling.room, telling.begun, join) : { refusal };
    const { leftOut } = telling;
    if (typeof completed === 'string') return { kind: 'joined', eventId, position: completed, leftOut };
    await this.joining.giveUp(roomId, telling.begun, completed.refusal);
    return { kind: 'given-up', reason: completed.refusal, leftOut };
  }
}

/** What a user's join is answered where another one ended. */
function answerAs(end: JoinEnd, userId: UserId): RoomReceived {
  const leftOut = { count: 0, wantedKeys: [] };
  if (end.kind === 'given-up') return { ...end, leftOut };
  if (end.userId !== userId) throw new RoomIsHere();
  const { kind, eventId, position } = end;
  return { kind, eventId, position, leftOut };
}

function leftOutOf({ wantedKeys }: Dropped): LeftOut {
  return { count: 1, wantedKeys };
}
