import { Controller, Get, Inject, Optional, Param, Query } from '@nestjs/common';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { queryText, type Query as QueryValues, queryBoolean, queryInteger } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { parseRoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { formatHierarchyToken, parseHierarchyToken } from '../queries/hierarchy-token.js';
import { hierarchyRoomText } from '../queries/describe-room.js';
import { listHierarchy } from '../queries/list-hierarchy.js';
import { SPACES_ELSEWHERE, type SpacesElsewhere } from '../spaces-elsewhere.js';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 100;
const DEFAULT_DEPTH = 20;
const MAX_DEPTH = 50;

/** The rooms of a space: client-server API, "Discovering rooms within spaces". */
@Controller('_matrix/client/v1')
@Authenticated()
@RateLimited('default')
export class HierarchyController {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Optional() @Inject(SPACES_ELSEWHERE) private readonly elsewhere?: SpacesElsewhere,
  ) {}

  @Get('rooms/:roomId/hierarchy')
  async hierarchy(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    const asked = {
      root: parseRoomId(roomId),
      maxDepth: queryInteger(query, 'max_depth', { cap: MAX_DEPTH }) ?? DEFAULT_DEPTH,
      suggestedOnly: queryBoolean(query, 'suggested_only') ?? false,
    };
    const limit = queryInteger(query, 'limit', { min: 1, cap: MAX_LIMIT }) ?? DEFAULT_LIMIT;
    const from = queryText(query, 'from');
    const token = from === undefined ? undefined : parseHierarchyToken(from, asked);
    const wanted = { ...asked, limit, after: token?.last };
    const { rooms, hasMore } = await listHierarchy(this.views, requester.userId, wanted, this.elsewhere);
    const last = rooms.at(-1)?.roomId;
    const more = hasMore && last !== undefined ? `,"next_batch":"${formatHierarchyToken({ ...asked, last })}"` : '';
    return new RawJson(
      `{"rooms":[${rooms.map(({ described, children }) => hierarchyRoomText(described, children)).join()}]${more}}`,
    );
  }
}
