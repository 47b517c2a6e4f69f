import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId } from '#kernel/ids';
import { Joining } from '../joining/joining.js';

/**
 * Sees to it that a join by which a room comes here ends: one that this process runs is waited for, one that was left is completed
 * where the room had been told whole, and given up else. Answers whether one was left.
 */
export class SettleJoin {
  constructor(readonly roomId: RoomId) {}
}

@CommandHandler(SettleJoin)
export class SettleJoinHandler implements ICommandHandler<SettleJoin> {
  constructor(private readonly joining: Joining) {}

  execute({ roomId }: SettleJoin): Promise<boolean> {
    return this.joining.settle(roomId);
  }
}
