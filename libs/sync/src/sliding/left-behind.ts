import { Inject, Injectable } from '@nestjs/common';
import { Typing } from '#ephemeral/typing/typing';
import type { StreamMoment } from '#http/tokens/stream-token';
import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { ActiveUsers } from '../notifier/active-users.js';
import { changedRooms } from './extensions/account-data-extension.js';
import type { ExtensionContext } from './extensions/extension-context.js';
import type { ListedRoom } from './known-rooms.js';
import { TOLD, type ToldRoom } from './told-state.js';

/** Whether something that is told of a room happened in it, for a client that was told this of it. */
export type HasNews = (room: ListedRoom, told: ToldRoom) => boolean;

/** Whether anything happened in rooms, by what is known in memory. */
@Injectable()
export class LeftBehind {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
    private readonly typing: Typing,
  ) {}

  /** Whether somebody may have read a room after a position. What is not remembered is not looked up: the next event of the room tells. */
  mayHaveReceipts(roomId: RoomId, after: Position | undefined): boolean {
    return after === undefined || this.active.recent.receipts.hasHappenedSince(roomId, after) === true;
  }

  /**
   * Whether something that is told of a room happened in it, for a client that has all up to a moment. Where that is not remembered it
   * may have.
   */
  async newsSince(context: Pick<ExtensionContext, 'sync' | 'user'>, since: StreamMoment): Promise<HasNews> {
    const { until } = context.sync;
    const changed = await changedRooms(this.views, context);
    const { rooms, receipts } = this.active.recent;
    const { position } = since;
    // PERF: of thousands of rooms nothing happened in nearly all, and it is quicker to ask in which it did.
    const most = context.user.rooms.size;
    const [happened, read] = [rooms.keysSince(position, most), receipts.keysSince(position, most)];
    const nobodyTypes = this.typing.isQuietSince(since.typing);
    return ({ roomId, place, known }, { marks }) =>
      (happened?.has(roomId) !== false && place > position) ||
      // What became of the user where the room is not here is no event of the room.
      known.position > position ||
      (read?.has(roomId) ?? receipts.hasHappenedSince(roomId, position) !== false) ||
      ((marks & TOLD.accountData) !== 0 && changed.has(roomId)) ||
      (!nobodyTypes && (marks & TOLD.typing) !== 0 && this.typing.hasNews(roomId, since.typing, until.typing));
  }
}
