import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { levelToSend, powerLevelOf } from '#protocol/event-auth/power-levels';
import type { RoomListed } from '../facts/room-facts.js';
import { contextOf } from '../worker/requester-context.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { ROOMS } from '../projections/room-summary.projector.js';

/**
 * Puts a room into the public directory of this server or takes it out: client-server API, "Listing rooms". A joined member
 * with the level for m.room.canonical_alias may, and a server administrator. Throws M_FORBIDDEN; M_NOT_FOUND
 * to an administrator.
 */
export class SetRoomListed {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly listed: boolean,
  ) {}
}

@CommandHandler(SetRoomListed)
export class SetRoomListedHandler implements ICommandHandler<SetRoomListed> {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ requester, roomId, listed }: SetRoomListed): Promise<void> {
    const { userId, isAdmin } = requester;
    if (isAdmin && !(await ROOMS.has(this.views, [roomId]))) {
      throw new MatrixError('M_NOT_FOUND', 'Unknown room');
    }
    const { position } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
      const levels = await turn.powerLevels();
      const { version } = turn.head;
      const needed = levelToSend('m.room.canonical_alias', true, levels, version);
      const may = (await turn.findMembership(userId)) === 'join' && powerLevelOf(userId, levels, version) >= needed;
      if (!may && !isAdmin) throw new MatrixError('M_FORBIDDEN', 'You may not change the directory entry of this room');
      turn.append('room-listed', { listed, by: userId } satisfies RoomListed);
    });
    if (position !== undefined) await this.views.whenProcessed(position);
  }
}
