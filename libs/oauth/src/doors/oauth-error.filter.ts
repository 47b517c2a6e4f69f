import { type ArgumentsHost, Catch } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ErrorFilter } from '#http/error-filter';
import { type Errcode, MatrixError } from '#kernel/matrix-error';
import { OAuthError } from '../oauth-error.js';
import { ENDPOINTS } from '../oauth-paths.js';

/** What is refused in the form of the client-server API, also here: the path is none. */
const AS_IT_IS: ReadonlySet<Errcode> = new Set<Errcode>(['M_UNRECOGNIZED']);

/** Refusals of the endpoints that applications ask, in the form of OAuth 2.0. What is no refusal is answered as everywhere. */
@Catch()
export class OAuthErrorFilter extends ErrorFilter {
  override catch(thrown: unknown, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    void reply.header('cache-control', 'no-store');
    if (thrown instanceof OAuthError) {
      void reply.status(thrown.status).type('application/json').send(bodyOf(thrown.code, thrown.description));
    } else if (thrown instanceof MatrixError && thrown.errcode === 'M_LIMIT_EXCEEDED') {
      const wait = thrown.fields?.['retry_after_ms'];
      if (typeof wait === 'number') void reply.header('retry-after', Math.ceil(wait / 1000));
      // A client that hears of anything below 500 when it renews its tokens takes its session for over ("Refresh token grant").
      const { url } = host.switchToHttp().getRequest<FastifyRequest>();
      const status = url.split('?', 1)[0] === ENDPOINTS.token ? 503 : 429;
      void reply.status(status).type('application/json').send(bodyOf('temporarily_unavailable', thrown.message));
    } else if (thrown instanceof MatrixError && thrown.status < 500 && !AS_IT_IS.has(thrown.errcode)) {
      void reply.status(400).type('application/json').send(bodyOf('invalid_request', thrown.message));
    } else super.catch(thrown, host);
  }
}

function bodyOf(error: string, description: string): object {
  return { error, error_description: description };
}
