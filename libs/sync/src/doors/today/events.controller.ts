import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { MarksPresence } from '#ephemeral/presence/marks-presence';
import { Authenticated, CurrentRequester, CurrentSession } from '#http/authenticated';
import { TODAY } from '#http/client-paths';
import type { OpenSession } from '#http/open-session';
import { queryText, type Query as QueryValues, queryBoolean, queryInteger } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { parseEventStreamPlace } from '#http/tokens/event-stream-places';
import { CLOCK, type Clock } from '#kernel/clock';
import { parseEventId, parseRoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { getEventAnywhere } from '#rooms/queries/get-event';
import { readerOf } from '#rooms/reading/reader';
import { renderForEventStream } from '../../events/render-event-stream.js';
import { Events } from '../../queries/events.js';
import { InitialSync } from '../../queries/initial-sync.js';
import { RoomInitialSync } from '../../queries/room-initial-sync.js';
import { ClientGone } from '#http/client-gone';

const DEFAULT_LIMIT = 10;
const MAX_LIMIT = 1_000;

/** What is left of API v1 in today's: client-server API, the deprecated endpoints of "Syncing", and "Room Previews". */
@Authenticated({ guests: true })
@RateLimited('default')
@Controller([...TODAY])
export class EventsController {
  constructor(
    private readonly queries: QueryBus,
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
    const from = queryText(query, 'from');
    const room = queryText(query, 'room_id');
    const request = {
      requester,
      form: 'today' as const,
      roomId: room === undefined ? undefined : parseRoomId(room),
      plan: {
        direction: 'f' as const,
        from: from === undefined ? ('END' as const) : parseEventStreamPlace(this.views.history, from, 'from'),
        to: 'END' as const,
        limit: queryInteger(query, 'limit', { cap: MAX_LIMIT }),
        isDirected: true,
      },
    };
    const timeout = queryInteger(query, 'timeout') ?? 0;
    return new RawJson(await this.queries.execute(new Events(request, session, timeout, gone)));
  }

  @Get('events/:eventId')
  async event(@CurrentRequester() requester: Requester, @Param('eventId') eventId: string): Promise<RawJson> {
    const reader = await readerOf(this.views, requester);
    const { room, row } = await getEventAnywhere(this.views, parseEventId(eventId), reader);
    return new RawJson((await renderForEventStream([row], { room, now: this.clock.now() }, 'today'))[0]!);
  }

  @Get('initialSync')
  async initialSync(
    @CurrentRequester() requester: Requester,
    @CurrentSession() session: OpenSession,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    const options = {
      limit: limitOf(query),
      archived: queryBoolean(query, 'archived') ?? false,
      form: 'today' as const,
    };
    return new RawJson(await this.queries.execute(new InitialSync(requester, session, options)));
  }

  @Get('rooms/:roomId/initialSync')
  async roomInitialSync(
    @CurrentRequester() requester: Requester,
    @CurrentSession() session: OpenSession,
    @Param('roomId') roomId: string,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    const options = { limit: limitOf(query), form: 'today' as const };
    return new RawJson(
      await this.queries.execute(new RoomInitialSync(requester, session, parseRoomId(roomId), options)),
    );
  }
}

function limitOf(query: QueryValues): number {
  return queryInteger(query, 'limit', { cap: MAX_LIMIT }) ?? DEFAULT_LIMIT;
}
