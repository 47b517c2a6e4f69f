import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type RoomId, serverNameOf, isUserId, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Turn } from '#projections/turn';
import { isHere } from '../decide/room-head.js';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import { purgedFactOf } from '../facts/read-room-fact.js';
import type { RoomPurged } from '../facts/room-purged.js';
import { type FactContext, RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { UnknownRoom } from '../worker/unknown-room.js';

/**
 * Begins to let go of all that is known of a room: for everybody it is from here on one that this server never had. What follows is done by
 * the effect `purged-rooms`. Throws M_NOT_FOUND where there is nothing of it, and M_FORBIDDEN where a user of this server is in it, is
 * invited or knocks. Where it was begun before, nothing is done.
 */
export class PurgeRoom {
  constructor(
    readonly roomId: RoomId,
    readonly context: FactContext,
  ) {}
}

const THERE: ReadonlySet<string | undefined> = new Set(['join', 'invite', 'knock']);

@CommandHandler(PurgeRoom)
export class PurgeRoomHandler implements ICommandHandler<PurgeRoom> {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(EVENT_AUTHOR) private readonly author: Pick<EventAuthor, 'serverName'>,
  ) {}

  async execute({ roomId, context }: PurgeRoom): Promise<void> {
    let here: UserId | undefined;
    try {
      here = (await this.workers.join(roomId, context, (turn) => this.#begin(turn))).result;
    } catch (error) {
      throw error instanceof UnknownRoom ? noSuchRoom() : error;
    }
    if (here !== undefined) throw new MatrixError('M_FORBIDDEN', `${here} is in the room, or invited, or knocks`);
  }

  /** Answers who of this server has to do with the room: then nothing was done. */
  async #begin(turn: RoomTurn): Promise<UserId | undefined> {
    const { head } = turn;
    if (head.purged === 'in-part') return undefined;
    // A join that is under way brings it here, and of one that was given up nothing shows.
    if (head.purged !== undefined || !isHere(head)) throw noSuchRoom();
    for (const userId of await this.#ownUsers(turn)) {
      if (THERE.has(await turn.findMembership(userId))) return userId;
    }
    pushPurged(turn, { room_version: head.version.id, more: true, up_to: -1 });
    return undefined;
  }

  async #ownUsers({ head }: RoomTurn): Promise<UserId[]> {
    const loopTurn = new Turn(1);
    const users: UserId[] = [];
    for (const { type, stateKey } of head.state.entries()) {
      if (type === 'm.room.member' && isUserId(stateKey) && serverNameOf(stateKey) === this.author.serverName)
        users.push(stateKey);
      if (loopTurn.isOver()) await loopTurn.pass();
    }
    return users;
  }
}

/** Appends a fact of a purge. */
export function pushPurged(turn: RoomTurn, purged: RoomPurged): void {
  const text = JSON.stringify(purged);
  turn.push('room-purged', text, `purged ${turn.roomId} ${turn.head.revision + 1}`, purgedFactOf(purged));
}

function noSuchRoom(): MatrixError {
  return new MatrixError('M_NOT_FOUND', 'This server has no such room');
}
