import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { MatrixError } from '#kernel/matrix-error';

/** One for all: without a reason of its own every `abort` would make an exception. Nobody is answered it. */
const GONE = new MatrixError('M_UNKNOWN', 'The client is gone', { status: 503 });

/** An AbortSignal for requests that wait: it aborts when the connection closes before there was an answer. */
export const ClientGone = createParamDecorator((_: unknown, context: ExecutionContext): AbortSignal => {
  const { raw } = context.switchToHttp().getResponse<FastifyReply>();
  const gone = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort(GONE);
  });
  return gone.signal;
});
