import { type ArgumentsHost, Catch, type ExceptionFilter, Inject, Logger, Optional } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { errorResponse } from './error-response.js';
import { LIMIT, type LimitBody } from './rate-limits.js';
import { SHUTDOWN } from './shutdown.js';

/** The one place where what was thrown becomes a response. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  readonly #log = new Logger('errors');

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl'>,
    @Optional() @Inject(SHUTDOWN) private readonly shutdown?: AbortSignal,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const { status, body, isBug } = errorResponse(thrown, request.id);
    // Who goes away in the midst of a body gets no answer, and is no news.
    if (isBug && !endedInBody(request)) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      const fields = { requestId: request.id, route: request.routeOptions?.url, err: error };
      if (this.#endsWithServer(request)) this.#log.debug(fields, 'ended with the server');
      else this.#log.error(fields, 'internal error');
    }
    if (reply.sent) return;
    const wait = (body as { retry_after_ms?: unknown }).retry_after_ms;
    if (typeof wait === 'number' && !reply.hasHeader('retry-after'))
      void reply.header('retry-after', Math.ceil(wait / 1000));
    sayLimit(reply, body);
    this.send(reply, status, body);
  }

  protected send(reply: FastifyReply, status: number, body: object): void {
    void reply.status(status).type('application/json').send(withInfo(body, this.config.publicUrl));
  }

  /** Nobody waits for it any more, and so the end of the server has not waited for it either: what it needed is closed. */
  #endsWithServer({ raw }: FastifyRequest): boolean {
    return this.shutdown?.aborted === true && raw.socket.destroyed;
  }
}

/** Not so where a request has no body, which counts as aborted, too, when its connection ends. */
const endedInBody = ({ raw }: FastifyRequest): boolean => raw.readableAborted && !raw.complete;

/** The limit that refused a request, in the form of the IETF's draft-ietf-httpapi-ratelimit-headers: a quota, for so many seconds, and what is left. */
function sayLimit(reply: FastifyReply, body: object): void {
  const { [LIMIT]: limit, retry_after_ms: wait } = body as { [LIMIT]?: LimitBody; retry_after_ms?: number };
  if (limit === undefined || wait === undefined) return;
  const seconds = Math.max(1, Math.round(limit.burst / limit.per_second));
  void reply.header('ratelimit-policy', `"${limit.class}";q=${limit.burst};w=${seconds}`);
  void reply.header('ratelimit', `"${limit.class}";r=0;t=${Math.ceil(wait / 1000)}`);
}

/** Whoever refuses by a limit of an account knows the path of the page about it: `M_USER_LIMIT_EXCEEDED` wants a URI. */
function withInfo(body: object, publicUrl: string): object {
  const { info_uri: path } = body as { info_uri?: unknown };
  return typeof path === 'string' && path.startsWith('/') ? { ...body, info_uri: publicUrl + path } : body;
}
