import { Inject, Injectable } from '@nestjs/common';
import { Typing } from '#ephemeral/typing/typing';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { LogHistory } from '#event-store/log-history';
import type { StreamMoment } from '#http/tokens/stream-token';
import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import type { ActiveUser } from '../notifier/active-user.js';
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
    @Inject(EVENT_STORE) private readonly store: Pick<EventStore, 'head'>,
  ) {}

  /** Which history of the log moments are of. */
  get history(): LogHistory {
    return this.views.history;
  }

  /**
   * The newest moment that everything in an answer has passed, and that is not before `since`, for somebody who hears of the
   * typing in these rooms. `user`: whose rooms the answer is about.
   */
  async moment(
    since: StreamMoment | undefined,
    hears: (roomId: RoomId) => boolean,
    user?: ActiveUser,
  ): Promise<StreamMoment> {
    await this.active.catchUp(user);
    let position = this.active.knownUpTo(user);
    // The answer never goes back.
    if (since !== undefined && since.position > position) position = since.position;
    const presence = this.presence.mark();
    return { position, typing: this.typing.mark(hears), ...(presence === undefined ? {} : { presence }) };
  }

  /**
   * Where a token begins. One whose position the log has not got to, for it was put back and nobody noticed: now. To refuse it would
   * leave clients asking for ever, to believe it would pass over what comes next. Asked once for each request: asked again, "now" would
   * be later. One that another process gave, which follows the log faster, is waited for, some seconds at most, and stays what it is. Which
   * of the two it is nobody can tell while the log is away: throws what that throws.
   */
  async settle(token: StreamMoment): Promise<StreamMoment> {
    const position = await this.settlePosition(token.position);
    if (position === token.position) return token;
    const { inbox, ...marks } = token;
    return { ...marks, position, ...(inbox === undefined || inbox > position ? {} : { inbox }) };
  }

  /** As `settle`, for a token that is a position alone. */
  async settlePosition(position: Position): Promise<Position> {
    await this.active.catchUp();
    if (position <= this.active.position) return position;
    if (position > (await this.store.head())) return this.active.position;
    // The views of another process, which gave the token, are ahead of those of this one.
    await this.views.whenProcessed(position, this.covered);
    await this.active.catchUp();
    // Where they take longer, nothing is told before they are there: what came before the token would be told twice.
    return position;
  }
}
