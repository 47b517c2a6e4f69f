import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { FastifyError, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify';
import type { Config } from '#config/config';
import { CORS_LINES, setCorsHeaders } from './cors.js';
import { errorResponse } from './error-response.js';

/** The most bytes of a JSON body: an event has 65,536 at most, but other bodies (keys, filters, push rules) carry many. */
const BODY_LIMIT = 1024 * 1024;

/** How long a connection may idle and a request take to arrive, on every listener; of its body see `BODY_TIMES`, too. */
export const CONNECTION_TIMEOUTS = Object.freeze({
  // Longer than the idle timeouts of common reverse proxies, or they would now and then reuse a closed connection.
  keepAliveTimeout: 75_000,
  // An upload of 100 MB at 28 kB a second.
  requestTimeout: 3_600_000,
});

/** The settings of Fastify that the protocol asks for. */
export function fastifyOptions(config: Pick<Config, 'trustProxy'>): FastifyServerOptions {
  return {
    routerOptions: {
      // Ids have up to 255 bytes, each of them three characters when escaped; the router's own limit is 100.
      maxParamLength: 2048,
      // The state key may be empty: `/state/m.room.name/` is the same as `/state/m.room.name`.
      ignoreTrailingSlash: true,
    },
    bodyLimit: BODY_LIMIT,
    logger: false,
    requestIdHeader: false,
    genReqId: requestIds(),
    trustProxy: config.trustProxy.length > 0 ? [...config.trustProxy] : false,
    ...CONNECTION_TIMEOUTS,
    // While draining, what arrives on open connections is still answered (with `Connection: close`).
    return503OnClosing: false,
    // PERF: bodies are checked by the doors and no route has a schema: without this, compilers of schemas are loaded (100
    // files) at every start.
    schemaController: { compilersFactory: { buildValidator: refuseSchemas, buildSerializer: refuseSchemas } },
    frameworkErrors: answerFrameworkError,
    clientErrorHandler: answerClientError,
  };
}

function refuseSchemas(): never {
  throw new Error('Routes have no schemas here: see JsonBody');
}

/** Request ids are ours: unique over restarts, and nothing that a client could choose. */
function requestIds(): () => string {
  const boot = randomBytes(4).toString('hex');
  let count = 0;
  return () => `${boot}-${(++count).toString(36)}`;
}

/** A path that cannot be read at all: the router gives up before any hook runs. */
function answerFrameworkError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  setCorsHeaders(reply);
  // A browser that asks before its request must get a yes, or the page never sees what is wrong with the path.
  if (request.method === 'OPTIONS') {
    void reply.code(204).send();
    return;
  }
  const { status, body } = errorResponse(error, '');
  void reply.code(status).send(body);
}

/** What is no HTTP, or too slow, or has too long a header: there is only a socket to answer on. */
export function answerClientError(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const [status, reason] = CLIENT_ERRORS[error.code ?? ''] ?? [400, 'Bad Request'];
  const body = JSON.stringify({ errcode: 'M_UNKNOWN', error: reason });
  if (socket.writable)
    socket.write(
      `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${CORS_LINES}Connection: close\r\n\r\n${body}`,
    );
  socket.destroy(error);
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
};
