import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { DelayedEvents } from '../delayed-events.js';
import { liveKitRoomOf } from '../livekit/livekit-names.js';

/** A hang-up, and whose it is in which call. */
export interface LeaveToDelegate {
  readonly userId: UserId;
  readonly delayId: string;
  readonly roomId: RoomId;
  readonly slotId: string;
  /** Who they are to LiveKit. */
  readonly identity: string;
}

/** Has a hang-up looked after as long as its sender is connected to LiveKit: MSC4195, "Optional delegated delayed leave events". */
@Injectable()
export class DelegateLeave {
  constructor(
    private readonly delayed: DelayedEvents,
    @Inject(CONFIG) private readonly config: Pick<Config, 'livekit'>,
  ) {}

  /** Throws M_INVALID_PARAM where there is no such delayed event of theirs in the room, or it is too short; M_UNRECOGNIZED where there is no LiveKit. */
  async delegate({ userId, delayId, roomId, slotId, identity }: LeaveToDelegate): Promise<void> {
    if (this.config.livekit === undefined) throw new MatrixError('M_UNRECOGNIZED');
    await this.delayed.delegate(userId, delayId, roomId, { room: liveKitRoomOf(roomId, slotId), identity });
  }
}
