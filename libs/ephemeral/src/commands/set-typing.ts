import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { Presence } from '../presence/presence.js';
import { Typing } from '../typing/typing.js';
import { checkJoined } from '#rooms/reading/open-room';

/** Shows the requester as typing in a room for so many milliseconds, or (undefined) no more. Throws M_FORBIDDEN. */
export class SetTyping extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly timeoutMs: number | undefined,
  ) {
    super();
  }
}

@CommandHandler(SetTyping)
export class SetTypingHandler implements ICommandHandler<SetTyping> {
  constructor(
    private readonly typing: Typing,
    private readonly presence: Presence,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ requester, roomId, timeoutMs }: SetTyping): Promise<void> {
    await checkJoined(this.views, roomId, requester.userId);
    const { userId } = requester;
    this.presence.act(userId, requester.deviceId);
    if (timeoutMs === undefined) return this.typing.stop(roomId, userId);
    this.typing.start(roomId, userId, timeoutMs);
    // Who left while that was looked up was not typing yet when their typing was ended.
    try {
      await checkJoined(this.views, roomId, userId);
    } catch (error) {
      this.typing.stop(roomId, userId);
      throw error;
    }
  }
}
