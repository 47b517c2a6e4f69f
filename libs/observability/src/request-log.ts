import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Metrics } from './metrics.js';

/** Asked by machines every few seconds: no news. */
const QUIET = new Set(['/health', '/metrics']);

/** A request with what the guard of the doors found out. */
type KnownRequest = FastifyRequest & { readonly requester?: { readonly userId: string } };

/**
 * Logs and measures each answered request: by the template of its path, and never its query, which may hold an access token.
 */
export function watchRequests(fastify: FastifyInstance, logger: Logger, metrics: Metrics): void {
  fastify.addHook('onResponse', (request: KnownRequest, reply, done) => {
    const route = request.routeOptions.url ?? '';
    metrics.observeRequest(request.method, route, reply.statusCode, reply.elapsedTime);
    const quiet = request.method === 'OPTIONS' || QUIET.has(route);
    if (!quiet) logger.info(lineOf(request, reply, route), 'request');
    done();
  });
}

function lineOf(request: KnownRequest, reply: FastifyReply, route: string): object {
  return {
    requestId: request.id,
    method: request.method,
    route: route === '' ? pathOf(request.url) : route,
    status: reply.statusCode,
    ms: Math.round(reply.elapsedTime * 100) / 100,
    user: request.requester?.userId,
  };
}

/** The path of an unknown route. */
function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  return (end < 0 ? url : url.slice(0, end)).slice(0, 200);
}
