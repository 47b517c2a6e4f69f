import { Controller, HttpCode, Post } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { MarksPresence } from '#ephemeral/presence/marks-presence';
import { Authenticated, CurrentRequester, CurrentSession } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import type { OpenSession } from '#http/open-session';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { SlidingSync } from '../../queries/sliding-sync.js';
import { renderStableAnswer } from '../../sliding/wire/stable-answer.js';
import { readStableRequest } from '../../sliding/wire/stable-request.js';
import { ClientGone } from '../client-gone.js';

/** POST /sync: MSC4186. */
@Authenticated({ guests: true })
@RateLimited('default')
@Controller('_matrix/client/v4/sync')
export class SlidingSyncController {
  constructor(private readonly queries: QueryBus) {}

  @Post()
  @HttpCode(200)
  @MarksPresence('online', 'body')
  async sync(
    @CurrentRequester() requester: Requester,
    @CurrentSession() session: OpenSession,
    @JsonBody(undefined, { allowEmpty: true }) body: JsonObject,
    @ClientGone() gone: AbortSignal,
  ): Promise<RawJson> {
    const request = readStableRequest(body);
    return new RawJson(
      renderStableAnswer(await this.queries.execute(new SlidingSync(requester, session, request, gone))),
    );
  }
}
