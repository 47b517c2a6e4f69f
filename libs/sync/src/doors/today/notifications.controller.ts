import { Controller, Get, Inject, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { TODAY, under } from '#http/client-paths';
import { type Query as QueryValues, queryEnum, queryInteger, queryText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { CLOCK, type Clock } from '#kernel/clock';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { renderOne } from '#rooms/queries/render-event';
import { ListNotifications, type Notification } from '../../queries/list-notifications.js';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;

/** `n<place>`: what was before it is on the next page. */
const TOKEN = /^n([0-9a-f-]{1,30})$/;

/** What notified a user: client-server API, "Listing notifications". */
@Authenticated()
@RateLimited('default')
@Controller(under(TODAY, 'notifications'))
export class NotificationsController {
  constructor(
    private readonly queries: QueryBus,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get()
  async list(@CurrentRequester() requester: Requester, @Query() query: QueryValues): Promise<RawJson> {
    const wish = {
      before: this.#parse(queryText(query, 'from')),
      limit: queryInteger(query, 'limit', { min: 1, cap: MAX_LIMIT }) ?? DEFAULT_LIMIT,
      onlyHighlights: queryEnum(query, 'only', ['highlight']) !== undefined,
    };
    const { notifications, next } = await this.queries.execute(new ListNotifications(requester, wish));
    const texts = await Promise.all(notifications.map((one) => this.#render(one)));
    const more = next === undefined ? '' : `,"next_token":"n${this.views.history.format(next)}"`;
    return new RawJson(`{"notifications":[${texts.join()}]${more}}`);
  }

  /** A place that was lost is that of now: all are told again. */
  #parse(text: string | undefined): Position | undefined {
    if (text === undefined) return undefined;
    const settled = this.views.history.find(TOKEN.exec(text)?.[1] ?? '');
    if (settled === undefined || typeof settled.place !== 'string')
      throw new MatrixError('M_INVALID_PARAM', 'from: not a token of this server');
    return settled.isLost ? undefined : settled.place;
  }

  async #render({ room, row, verdict, isRead }: Notification): Promise<string> {
    const event = await renderOne(row, { room, now: this.clock.now(), bundled: {} }, 'nested');
    const about = { actions: verdict.actions, read: isRead, room_id: room.roomId, ts: row.header.sentAt };
    return `${JSON.stringify(about).slice(0, -1)},"event":${event}}`;
  }
}
