import { Controller, Get, Query, Req } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { Authenticated, CurrentRequester, CurrentSession } from '#http/authenticated';
import { MarksPresence } from '#ephemeral/presence/marks-presence';
import { isAlphaDoor, TODAY_AND_ALPHA, under } from '#http/client-paths';
import type { OpenSession } from '#http/open-session';
import { queryText, type Query as QueryValues, queryBoolean, queryInteger } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import type { Requester } from '#kernel/requester';
import { Sync } from '../../queries/sync.js';
import type { StateAfter } from '../../streams/sync-context.js';
import { ClientGone } from '#http/client-gone';

/** GET /sync: client-server API, "Syncing". */
@Authenticated({ guests: true })
@RateLimited('default')
@Controller(under(TODAY_AND_ALPHA, 'sync'))
export class SyncController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @MarksPresence('online')
  async sync(
    @CurrentRequester() requester: Requester,
    @CurrentSession() session: OpenSession,
    @Query() query: QueryValues,
    @ClientGone() gone: AbortSignal,
    @Req() request: FastifyRequest,
  ): Promise<RawJson> {
    const options = {
      since: queryText(query, 'since'),
      filter: queryText(query, 'filter'),
      fullState: queryBoolean(query, 'full_state') ?? false,
      stateAfter: readStateAfter(query),
      timeout: queryInteger(query, 'timeout') ?? 0,
      allSections: isAlphaDoor(request),
    };
    return new RawJson(await this.queries.execute(new Sync(requester, session, options, gone)));
  }
}

/** matrix-js-sdk asks by the name of before it was specified, and reads the answer by the same. */
function readStateAfter(query: QueryValues): StateAfter | undefined {
  if (queryBoolean(query, 'use_state_after') === true) return 'state_after';
  const isUnstable = queryBoolean(query, 'org.matrix.msc4222.use_state_after') === true;
  return isUnstable ? 'org.matrix.msc4222.state_after' : undefined;
}
