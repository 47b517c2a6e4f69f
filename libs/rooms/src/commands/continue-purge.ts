import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId } from '#kernel/ids';
import type { RoomPurged } from '../facts/room-purged.js';
import { RoomSnapshots } from '../worker/room-snapshots.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { pushPurged } from './purge-room.js';

/**
 * Goes on with a purge behind one of its facts, the last one until now; where another stands there already, no fact is appended. What is kept of the room to warm it up goes
 * each time: who hears of facts and lets go of it (`ForgottenSnapshots`) may be killed before.
 */
export class ContinuePurge {
  constructor(
    readonly roomId: RoomId,
    /** The revision of that fact. */
    readonly behind: number,
    readonly next: RoomPurged,
  ) {}
}

@CommandHandler(ContinuePurge)
export class ContinuePurgeHandler implements ICommandHandler<ContinuePurge> {
  constructor(
    private readonly workers: RoomWorkers,
    private readonly snapshots: RoomSnapshots,
  ) {}

  async execute({ roomId, behind, next }: ContinuePurge): Promise<void> {
    await this.workers.join(roomId, { actor: 'server' }, async (turn) => {
      if (turn.head.purged === 'in-part' && turn.head.revision === behind) pushPurged(turn, next);
    });
    await this.snapshots.forget(roomId);
  }
}
