import { Controller, createParamDecorator, type ExecutionContext, HttpCode, Post } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { MarksPresence } from '#ephemeral/presence/marks-presence';
import { Authenticated, CurrentRequester, CurrentSession, WhileSuspended } from '#http/authenticated';
import { takeJsonBody } from '#http/json-body';
import type { OpenSession } from '#http/open-session';
import type { Query } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { SlidingSync } from '../../queries/sliding-sync.js';
import { renderUnstableAnswer } from '../../sliding/wire/unstable-answer.js';
import { readUnstableRequest, type UnstableRequest } from '../../sliding/wire/unstable-request.js';
import { ClientGone } from '#http/client-gone';

const UnstableRequestOf = createParamDecorator((_: unknown, context: ExecutionContext): UnstableRequest => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  if (request.requester === undefined) throw new MatrixError('M_MISSING_TOKEN');
  const body = takeJsonBody(request, { allowEmpty: true });
  return readUnstableRequest(request.query as Query, body, request.requester.userId);
});

/** Sliding sync in the shape that was tried out before MSC4186 was accepted, and that clients of today speak. */
@WhileSuspended()
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
    @UnstableRequestOf() { request, txnId }: UnstableRequest,
    @ClientGone() gone: AbortSignal,
  ): Promise<RawJson> {
    const answer = await this.queries.execute(new SlidingSync(requester, session, request, gone));
    return new RawJson(renderUnstableAnswer(answer, txnId));
  }
}
