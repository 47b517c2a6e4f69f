import { Controller, createParamDecorator, type ExecutionContext, HttpCode, Post } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { MarksPresence } from '#ephemeral/presence/marks-presence';
import { Authenticated, CurrentRequester, CurrentSession, WhileSuspended } from '#http/authenticated';
import { takeJsonBody } from '#http/json-body';
import type { OpenSession } from '#http/open-session';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import type { Requester } from '#kernel/requester';
import { SlidingSync } from '../../queries/sliding-sync.js';
import { renderStableAnswer } from '../../sliding/wire/stable-answer.js';
import type { SlidingRequest } from '../../sliding/sliding-request.js';
import { readStableRequest } from '../../sliding/wire/stable-request.js';
import { ClientGone } from '#http/client-gone';

const StableRequest = createParamDecorator((_: unknown, context: ExecutionContext): SlidingRequest =>
  readStableRequest(takeJsonBody(context.switchToHttp().getRequest<FastifyRequest>(), { allowEmpty: true })),
);

/** POST /sync: MSC4186. */
@WhileSuspended()
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
    @StableRequest() request: SlidingRequest,
    @ClientGone() gone: AbortSignal,
  ): Promise<RawJson> {
    return new RawJson(
      renderStableAnswer(await this.queries.execute(new SlidingSync(requester, session, request, gone))),
    );
  }
}
