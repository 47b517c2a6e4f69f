import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Typing } from '#ephemeral/typing/typing';
import type { StreamMoment } from '#http/tokens/stream-token';
import type { RoomId } from '#kernel/ids';
import { ActiveUsers } from '../notifier/active-users.js';
import type { EphemeralRange, RoomEphemeral } from './room-ephemeral.js';

/** Who is typing: `m.typing`. It is in the memory of this process alone, and tokens have a mark of their own for it. */
@Injectable()
export class TypingEphemeral implements RoomEphemeral, OnModuleDestroy {
  static readonly covers: readonly string[] = [];
  readonly type = 'm.typing';
  readonly #stop: () => void;

  constructor(
    private readonly typing: Typing,
    active: ActiveUsers,
  ) {
    this.#stop = typing.onChange((roomId) => active.wakeRoom(roomId));
  }

  hasNews(roomId: RoomId, since: StreamMoment, until: StreamMoment): boolean {
    return this.typing.hasNews(roomId, since.typing, until.typing);
  }

  /** All is in memory. */
  async lookUp(): Promise<boolean> {
    return false;
  }

  read(roomId: RoomId, { reader, since, until }: EphemeralRange): readonly string[] {
    const hasNews =
      since === undefined
        ? this.typing.hasNewsForBeginner(roomId, until.typing)
        : this.typing.hasNews(roomId, since.typing, until.typing);
    if (!hasNews) return [];
    return [JSON.stringify({ user_ids: this.typing.listTyping(roomId, reader.ignored) })];
  }

  onModuleDestroy(): void {
    this.#stop();
  }
}
