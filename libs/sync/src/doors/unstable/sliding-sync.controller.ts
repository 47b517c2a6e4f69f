import { Controller, HttpCode, Post, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { MarksPresence } from '#ephemeral/presence/marks-presence';
import { Authenticated, CurrentRequester, CurrentSession } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import type { OpenSession } from '#http/open-session';
import type { Query as QueryValues } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { SlidingSync } from '../../queries/sliding-sync.js';
import { renderUnstableAnswer } from '../../sliding/wire/unstable-answer.js';
import { readUnstableRequest } from '../../sliding/wire/unstable-request.js';
import { ClientGone } from '../client-gone.js';

/** Sliding sync in the shape that was tried out before MSC4186 was accepted, and that clients of today speak. */
@Authenticated({ guests: true })
@RateLimited('default')
@Controller('_matrix/client/unstable/org.matrix.simplified_msc3575/sync')
export class UnstableSlidingSyncController {
  constructor(private readonly queries: QueryBus) {}

  @Post()
  @HttpCode(200)
  @MarksPresence('online')
  async sync(
    @CurrentRequester() requester: Requester,
    @CurrentSession() session: OpenSession,
    @Query() query: QueryValues,
    @JsonBody(undefined, { allowEmpty: true }) body: JsonObject,
    @ClientGone() gone: AbortSignal,
  ): Promise<RawJson> {
    const { request, txnId } = readUnstableRequest(query, body, requester.userId);
    const answer = await this.queries.execute(new SlidingSync(requester, session, request, gone));
    return new RawJson(renderUnstableAnswer(answer, txnId));
  }
}
