import { Inject, Injectable } from '@nestjs/common';
import { Typing } from '#ephemeral/typing/typing';
import type { LogHistory } from '#event-store/log-history';
import type { StreamMoment } from '#http/tokens/stream-token';
import type { RoomId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { ActiveUsers } from '../notifier/active-users.js';
import { PresenceChanges } from '../presence/presence-changes.js';
import { COVERED } from './covered.js';

/** The moments that stream tokens name: where an answer begins, and how far one may go. */
@Injectable()
export class StreamMoments {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
    private readonly typing: Typing,
    private readonly presence: PresenceChanges,
    @Inject(COVERED) private readonly covered: readonly string[],
  ) {}

  /** Which history of the log moments are of. */
  get history(): LogHistory {
    return this.views.history;
  }

  /**
   * The newest moment that everything in an answer has passed, and that is not before `since`, for somebody who hears of the
   * typing in these rooms.
   */
  async moment(since: StreamMoment | undefined, hears: (roomId: RoomId) => boolean): Promise<StreamMoment> {
    await this.active.catchUp();
    const seen = this.active.position;
    const passed = this.views.position(this.covered);
    let position = passed < seen ? passed : seen;
    // Where a projection is paused or filled anew the answer stands still, and never goes back.
    if (since !== undefined && since.position > position) position = since.position;
    const presence = this.presence.mark();
    return { position, typing: this.typing.mark(hears), ...(presence === undefined ? {} : { presence }) };
  }

  /**
   * Where a token begins. One whose position the log has not got to, for it was put back and nobody noticed: now. To refuse it would
   * leave clients asking for ever, to believe it would pass over what comes next. Asked once for each request: asked again, "now" would
   * be later.
   */
  async settle(token: StreamMoment): Promise<StreamMoment> {
    await this.active.catchUp();
    const seen = this.active.position;
    if (token.position <= seen) return token;
    const { inbox, ...marks } = token;
    return { ...marks, position: seen, ...(inbox === undefined || inbox > seen ? {} : { inbox }) };
  }
}
