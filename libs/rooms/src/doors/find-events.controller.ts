import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { queryText, type Query as QueryValues, queryBoolean, queryEnum, queryInteger } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { formatTimelinePlace } from '#http/tokens/timeline-token';
import { CLOCK, type Clock } from '#kernel/clock';
import { parseEventId, parseRoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { ClosestEvents } from '../queries/closest-events.js';
import { listRelations, MAX_DEPTH } from '../queries/list-relations.js';
import { renderEvents } from '../queries/render-event.js';
import { parseTimelineBounds } from '../queries/timeline-places.js';
import { readerOf } from '../reading/reader.js';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;
const RELATIONS = 'rooms/:roomId/relations/:eventId';

/** Events by what they relate to and by time: client-server API, "Relationships API" and "Getting events for a room". */
@Controller('_matrix/client/v1')
@Authenticated()
@RateLimited('default')
export class FindEventsController {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly closest: ClosestEvents,
  ) {}

  /** `dir` and `recurse` also by the names they had before they were specified (MSC3715, MSC3981). */
  @Get([RELATIONS, `${RELATIONS}/:relType`, `${RELATIONS}/:relType/:eventType`])
  async relations(
    @CurrentRequester() requester: Requester,
    @Param() { roomId: room, eventId, relType, eventType }: Record<string, string | undefined>,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    const { views } = this;
    const roomId = parseRoomId(room);
    const recurse = queryBoolean(query, 'recurse') ?? queryBoolean(query, 'org.matrix.msc3981.recurse') ?? false;
    const tokens = { from: queryText(query, 'from'), to: queryText(query, 'to') };
    const direction =
      queryEnum(query, 'dir', ['b', 'f']) ?? queryEnum(query, 'org.matrix.msc3715.dir', ['b', 'f']) ?? 'b';
    const reader = await readerOf(views, requester);
    const {
      room: there,
      rows,
      next,
    } = await listRelations(views, roomId, parseEventId(eventId), reader, {
      direction,
      ...(await parseTimelineBounds(views, roomId, tokens, direction)),
      limit: queryInteger(query, 'limit', { min: 1, cap: MAX_LIMIT }) ?? DEFAULT_LIMIT,
      relType,
      eventType,
      recurse,
    });
    const events = await renderEvents(rows, { room: there, now: this.clock.now(), bundled: {} });
    const parts = [
      `"chunk":[${events.join()}]`,
      ...(next === undefined ? [] : [`"next_batch":"${formatTimelinePlace(views.history, next)}"`]),
      ...(tokens.from === undefined ? [] : [`"prev_batch":${JSON.stringify(tokens.from)}`]),
      ...(recurse ? [`"recursion_depth":${MAX_DEPTH}`] : []),
    ];
    return new RawJson(`{${parts.join()}}`);
  }

  @Get('rooms/:roomId/timestamp_to_event')
  async byTime(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Query() query: QueryValues,
  ): Promise<object> {
    const time = queryInteger(query, 'ts');
    const direction = queryEnum(query, 'dir', ['b', 'f']);
    if (time === undefined || direction === undefined) throw new MatrixError('M_MISSING_PARAM', 'ts, dir: required');
    const reader = await readerOf(this.views, requester);
    const { eventId, sentAt } = await this.closest.find(parseRoomId(roomId), reader, time, direction);
    return { event_id: eventId, origin_server_ts: sentAt };
  }
}
