import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply } from 'fastify';

/** Without a reason of its own every `abort` would make an exception. */
const GONE = 'the client is gone';

/** An AbortSignal for requests that wait: it aborts when the connection closes before there was an answer. */
export const ClientGone = createParamDecorator((_: unknown, context: ExecutionContext): AbortSignal => {
  const { raw } = context.switchToHttp().getResponse<FastifyReply>();
  const gone = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort(GONE);
  });
  return gone.signal;
});
