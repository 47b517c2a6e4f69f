import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { TODAY } from '#http/client-paths';
import { queryText, type Query as QueryValues, queryEnum, queryInteger } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { formatTimelinePlace } from '#http/tokens/timeline-token';
import { CLOCK, type Clock } from '#kernel/clock';
import { parseEventId, parseRoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import type { TimelineRow } from '../projections/timeline-row.js';
import { parseRoomEventFilter } from '../queries/event-filter.js';
import { FillGaps } from '../queries/fill-gaps.js';
import { type EventContext, getContext } from '../queries/get-context.js';
import { type FoundEvent, getEvent } from '../queries/get-event.js';
import { gapsWithin, listMessages, memberRowsOf, type MessagesPage } from '../queries/list-messages.js';
import { type EventViewer, renderEvents, renderOne } from '../queries/render-event.js';
import { parseTimelineBounds } from '../queries/timeline-places.js';
import { openRoom } from '../reading/open-room.js';
import { readerOf } from '../reading/reader.js';
import type { RoomReader } from '../reading/room-reader.js';

const DEFAULT_LIMIT = 10;
const MAX_LIMIT = 1_000;

/** Reading events of a room: client-server API, "Getting events for a room", "Event Context". */
@Controller([...TODAY])
@Authenticated({ guests: true })
@RateLimited('default')
export class MessagesController {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly gaps: FillGaps,
  ) {}

  @Get('rooms/:roomId/messages')
  async messages(
    @CurrentRequester() requester: Requester,
    @Param('roomId') room: string,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    const { views } = this;
    const roomId = parseRoomId(room);
    const direction = queryEnum(query, 'dir', ['b', 'f']);
    if (direction === undefined) throw new MatrixError('M_MISSING_PARAM', 'dir: required');
    const filter = parseRoomEventFilter(queryText(query, 'filter'), requester.userId);
    const limit = queryInteger(query, 'limit', { cap: MAX_LIMIT }) ?? filter.limit ?? DEFAULT_LIMIT;
    const tokens = { from: queryText(query, 'from'), to: queryText(query, 'to') };
    const bounds = await parseTimelineBounds(views, roomId, tokens, direction);
    const open = await openRoom(views, roomId, await readerOf(views, requester), 'events');
    const request = { direction, ...bounds, limit: Math.min(limit, filter.limit ?? MAX_LIMIT), filter };
    const read = (): Promise<MessagesPage> => listMessages(open, request);
    const { rows, start, end } = await this.gaps.read(roomId, request.limit, read, (page) => gapsWithin(page, request));
    const viewer = this.#viewer(open.room);
    const members = filter.lazy_load_members === true ? await memberRowsOf(views, roomId, rows) : [];
    // "This will be the same as the value given in from", unless that led to what is lost.
    const began = bounds.from === undefined ? undefined : tokens.from;
    const parts = [
      `"chunk":[${await this.#render(rows, viewer)}]`,
      `"start":"${began ?? formatTimelinePlace(views.history, start)}"`,
      ...(end === undefined ? [] : [`"end":"${formatTimelinePlace(views.history, end)}"`]),
      ...(members.length === 0 ? [] : [`"state":[${await this.#render(members, viewer)}]`]),
    ];
    return new RawJson(`{${parts.join()}}`);
  }

  @Get('rooms/:roomId/event/:eventId')
  async event(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('eventId') eventId: string,
  ): Promise<RawJson> {
    const reader = await readerOf(this.views, requester);
    const [inRoom, id] = [parseRoomId(roomId), parseEventId(eventId)];
    const find = (): Promise<FoundEvent> => getEvent(this.views, inRoom, id, reader);
    const { room, row } = await this.gaps.find(inRoom, id, reader, find);
    return new RawJson(await renderOne(row, this.#viewer(room)));
  }

  @Get('rooms/:roomId/context/:eventId')
  async context(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('eventId') eventId: string,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    const filter = parseRoomEventFilter(queryText(query, 'filter'), requester.userId);
    const limit = queryInteger(query, 'limit', { cap: MAX_LIMIT }) ?? DEFAULT_LIMIT;
    const reader = await readerOf(this.views, requester);
    const [inRoom, id] = [parseRoomId(roomId), parseEventId(eventId)];
    const read = (): Promise<EventContext> => getContext(this.views, inRoom, id, reader, limit, filter);
    const find = (): Promise<EventContext> => this.gaps.find(inRoom, id, reader, read);
    const found = await this.gaps.read(inRoom, limit, find, ({ gaps }) => (limit === 0 ? [] : gaps));
    const viewer = this.#viewer(found.room);
    const parts = [
      `"event":${await this.#render([found.event], viewer)}`,
      `"events_before":[${await this.#render(found.before, viewer)}]`,
      `"events_after":[${await this.#render(found.after, viewer)}]`,
      `"state":[${await this.#render(found.state, viewer)}]`,
      `"start":"${formatTimelinePlace(this.views.history, found.start)}"`,
      `"end":"${formatTimelinePlace(this.views.history, found.end)}"`,
    ];
    return new RawJson(`{${parts.join()}}`);
  }

  async #render(rows: readonly TimelineRow[], viewer: EventViewer): Promise<string> {
    return (await renderEvents(rows, viewer)).join();
  }

  #viewer(room: RoomReader): EventViewer {
    return { room, now: this.clock.now(), bundled: {} };
  }
}
