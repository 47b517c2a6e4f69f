import { Inject, Injectable } from '@nestjs/common';
import { Typing } from '#ephemeral/typing/typing';
import { isRoomId, isUserId, type ServerName, serverNameOf } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { VIEWS, type Views } from '#projections/views';
import { findMembership } from '#rooms/reading/find-membership';
import type { EduHandler } from '../edus/edu-handlers.js';
import { TYPING } from './typing-sender.js';

/** So long somebody is shown as typing whose server says nothing more. */
const FORGOTTEN_MS = 60_000;

/** `m.typing`: somebody of another server types in a room, or does not any more. */
@Injectable()
export class TypingHandler implements EduHandler {
  readonly type = TYPING;

  constructor(
    private readonly typing: Typing,
    @Inject(VIEWS) private readonly views: Pick<Views, 'get'>,
  ) {}

  /** What is told of users of a third server, and of who is not in the room, is let be. */
  async receive(origin: ServerName, content: JsonObject): Promise<void> {
    const { room_id: roomId, user_id: userId, typing } = content;
    if (typeof roomId !== 'string' || !isRoomId(roomId) || typeof userId !== 'string' || !isUserId(userId)) return;
    if (serverNameOf(userId) !== origin || typeof typing !== 'boolean') return;
    if ((await findMembership(this.views, roomId, userId)) !== 'join') return;
    if (typing) this.typing.start(roomId, userId, FORGOTTEN_MS);
    else this.typing.stop(roomId, userId);
  }
}
