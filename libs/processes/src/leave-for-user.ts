import type { Logger } from '@nestjs/common';
import type { CommandBus } from '@nestjs/cqrs';
import type { RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import type { Requester } from '#kernel/requester';
import { LeaveRoom } from '#rooms/commands/leave-room';

/**
 * Lets a user leave a room because of a fact. A room whose rules do not let go is told in the log with `problem`: it must not
 * stand in the way of the others. Throws whatever else goes wrong, so that it is tried again: also what may pass, as that the room's policy server is away.
 */
export async function leaveForUser(
  commands: CommandBus,
  requester: Requester,
  roomId: RoomId,
  log: Logger,
  problem: string,
): Promise<void> {
  try {
    await commands.execute(new LeaveRoom(requester, roomId, undefined, true));
  } catch (error) {
    if (!(error instanceof MatrixError) || mayPass(error)) throw error;
    log.warn({ err: error, userId: requester.userId, roomId }, problem);
  }
}
