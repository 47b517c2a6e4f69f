import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { type Mark, Receipts } from './receipts.js';

/**
 * Sets read receipts and the fully read marker of a room: client-server API, "Receipts" and "Read and unread markers". Throws
 * M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM.
 */
export class SetReadMarks extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly marks: readonly Mark[],
  ) {
    super();
  }
}

@CommandHandler(SetReadMarks)
export class SetReadMarksHandler implements ICommandHandler<SetReadMarks> {
  constructor(private readonly receipts: Receipts) {}

  execute({ requester, roomId, marks }: SetReadMarks): Promise<void> {
    return this.receipts.set(requester, roomId, marks);
  }
}
