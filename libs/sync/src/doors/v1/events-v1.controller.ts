import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { MarksPresence } from '#ephemeral/presence/marks-presence';
import { Authenticated, CurrentRequester, CurrentSession } from '#http/authenticated';
import { V1 } from '#http/client-paths';
import type { OpenSession } from '#http/open-session';
import { planPage, readPageParameters } from '#http/pagination';
import { queryText, type Query as QueryValues, queryBoolean, queryInteger } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { eventStreamPlaces } from '#http/tokens/event-stream-places';
import { CLOCK, type Clock } from '#kernel/clock';
import { parseEventId, parseRoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { getEventAnywhere } from '#rooms/queries/get-event';
import { renderOne } from '#rooms/queries/render-event';
import { readerOf } from '#rooms/reading/reader';
import type { SyncFilter } from '../../filters/sync-filter.js';
import { SyncFilters } from '../../filters/sync-filters.js';
import { Events } from '../../queries/events.js';
import { InitialSync } from '../../queries/initial-sync.js';
import { RoomInitialSync } from '../../queries/room-initial-sync.js';
import { ClientGone } from '#http/client-gone';

const MAX_LIMIT = 1_000;

/** The event stream and the initial synchronisation of 2014/15: client-server API v1, "Events". */
@Authenticated({ guests: true })
@RateLimited('default')
@Controller(V1)
export class EventsV1Controller {
  constructor(
    private readonly queries: QueryBus,
    private readonly filters: SyncFilters,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get('events')
  @MarksPresence()
  async events(
    @CurrentRequester() requester: Requester,
    @CurrentSession() session: OpenSession,
    @Query() query: QueryValues,
    @ClientGone() gone: AbortSignal,
  ): Promise<RawJson> {
    const room = queryText(query, 'room_id');
    const request = {
      requester,
      form: 'v1' as const,
      roomId: room === undefined ? undefined : parseRoomId(room),
      plan: planPage(readPageParameters(query), eventStreamPlaces(this.views.history)),
      filter: await this.#filterOf(requester, query),
    };
    const timeout = queryInteger(query, 'timeout') ?? 0;
    return new RawJson(await this.queries.execute(new Events(request, session, timeout, gone)));
  }

  @Get('events/:eventId')
  async event(@CurrentRequester() requester: Requester, @Param('eventId') eventId: string): Promise<RawJson> {
    const reader = await readerOf(this.views, requester);
    const { room, row } = await getEventAnywhere(this.views, parseEventId(eventId), reader);
    return new RawJson(await renderOne(row, { room, now: this.clock.now() }, 'v1'));
  }

  @Get('initialSync')
  async initialSync(
    @CurrentRequester() requester: Requester,
    @CurrentSession() session: OpenSession,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    const filter = await this.#filterOf(requester, query);
    const archived = queryBoolean(query, 'archived') ?? false;
    const options = { limit: limitOf(query, filter), archived, form: 'v1' as const, filter };
    return new RawJson(await this.queries.execute(new InitialSync(requester, session, options)));
  }

  @Get('rooms/:roomId/initialSync')
  async roomInitialSync(
    @CurrentRequester() requester: Requester,
    @CurrentSession() session: OpenSession,
    @Param('roomId') roomId: string,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    const filter = await this.#filterOf(requester, query);
    const options = { limit: limitOf(query, filter), form: 'v1' as const, filter };
    return new RawJson(
      await this.queries.execute(new RoomInitialSync(requester, session, parseRoomId(roomId), options)),
    );
  }

  /** The filters of today, by id or as JSON, which the documents of the time left for later. */
  #filterOf({ userId }: Requester, query: QueryValues): Promise<SyncFilter> {
    return this.filters.get(userId, queryText(query, 'filter'));
  }
}

function limitOf(query: QueryValues, filter: SyncFilter): number {
  return Math.min(readPageParameters(query).limit ?? filter.timelineLimit, MAX_LIMIT);
}
