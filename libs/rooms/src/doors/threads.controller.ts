import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { queryText, type Query as QueryValues, queryEnum, queryInteger } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { formatThreadsToken, parseThreadsToken } from '#http/tokens/threads-token';
import { CLOCK, type Clock } from '#kernel/clock';
import { parseRoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { listThreads } from '../queries/list-threads.js';
import { renderEvents } from '../queries/render-event.js';
import { readerOf } from '../reading/reader.js';

/** Where clients look for them that are older than v1.4 (MSC3856 before it was merged). */
const UNSTABLE = '_matrix/client/unstable/org.matrix.msc3856';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;

/** The threads of a room: client-server API, "Querying threads in a room". */
@Controller(['_matrix/client/v1', UNSTABLE])
@Authenticated()
@RateLimited('default')
export class ThreadsController {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get('rooms/:roomId/threads')
  async threads(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    const { history } = this.views;
    const from = queryText(query, 'from');
    const token = from === undefined ? undefined : parseThreadsToken(history, from);
    const request = {
      // The order in which threads ended is another since: all are told again.
      from: token?.isLost === true ? undefined : token,
      limit: queryInteger(query, 'limit', { min: 1, cap: MAX_LIMIT }) ?? DEFAULT_LIMIT,
      participated: queryEnum(query, 'include', ['all', 'participated']) === 'participated',
    };
    const reader = await readerOf(this.views, requester);
    const { room, roots, next } = await listThreads(this.views, parseRoomId(roomId), reader, request);
    const events = await renderEvents(roots, { room, now: this.clock.now(), bundled: {} });
    const more = next === undefined ? '' : `,"next_batch":"${formatThreadsToken(history, next)}"`;
    return new RawJson(`{"chunk":[${events.join()}]${more}}`);
  }
}
