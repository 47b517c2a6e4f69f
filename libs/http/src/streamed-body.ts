import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { MatrixError } from '#kernel/matrix-error';
import { answerClientError } from './fastify-options.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the client says that a body is which the door reads as it comes. */
    streamedType?: string;
    bodyTimes?: BodyTimes;
  }
}

/** The body of a request as it comes. */
export interface StreamedBody {
  readonly stream: AsyncIterable<Uint8Array>;
  /** The content type that the client gave; undefined where it gave none. */
  readonly type: string | undefined;
  /** How long the client says it is; undefined where it does not. */
  readonly bytes: number | undefined;
}

/** How long bodies may take, in milliseconds: who is slower is answered 408, and the connection ends. */
export interface BodyTimes {
  /** One that is read before its door is asked, from its beginning to its end. */
  readonly whole: number;
  /** The next piece of one that its door reads as it comes; all of it may take as long as requests may. */
  readonly nextPiece: number;
  /** What comes of one that nobody reads further. */
  readonly rest: number;
}

export const BODY_TIMES: BodyTimes = Object.freeze({ whole: 300_000, nextPiece: 60_000, rest: 10_000 });

/** Under this the framework finds the parser that reads nothing. */
const STREAMED = 'application/x-annals-streamed';

/** The door reads the body of this route as it comes, by `@Streamed()`, and sets a bound of its own. */
export function StreamsBody(): MethodDecorator {
  return RouteConfig({ streamsBody: true }) as MethodDecorator;
}

/** The body, behind `@StreamsBody()`: to be read once, and to its end or not at all. */
export const Streamed = createParamDecorator((_: unknown, context: ExecutionContext): StreamedBody =>
  streamedBodyOf(context.switchToHttp().getRequest<FastifyRequest>()),
);

/** The body of a request to a route that streams it. */
export function streamedBodyOf(request: FastifyRequest): StreamedBody {
  const { body, headers, streamedType: type, bodyTimes = BODY_TIMES } = request;
  const length = headers['content-length'];
  const bytes = length === undefined ? undefined : Number(length);
  // Where there is no body the framework asks no parser for one.
  const stream = body instanceof IncomingMessage ? readWhole(body, bodyTimes) : Readable.from([]);
  return { stream, type, bytes };
}

/** Has a server leave the bodies of such routes to their doors, and end those that come too slowly. */
export function letBodiesStream(fastify: FastifyInstance, times: BodyTimes = BODY_TIMES): void {
  fastify.addContentTypeParser(STREAMED, (_request, payload, done) => done(null, payload));
  fastify.addHook('onRequest', (request, _reply, done) => {
    const { headers } = request.raw;
    const { streamsBody } = (request.routeOptions.config ?? {}) as { readonly streamsBody?: boolean };
    if (streamsBody === true) {
      request.streamedType = headers['content-type'];
      request.bodyTimes = times;
      headers['content-type'] = STREAMED;
    } else if (headers['content-type']?.startsWith(STREAMED) === true) {
      headers['content-type'] = 'application/octet-stream';
    }
    done();
  });
  fastify.addHook('preParsing', (request, _reply, payload, done) => {
    if (request.bodyTimes === undefined) endUnlessRead(request.raw, times.whole);
    done(null, payload);
  });
}

/** Ends the connection of a request whose body is not there in time. Requests that come by no connection, as in tests, have nothing to end. */
function endUnlessRead(request: IncomingMessage, withinMs: number): void {
  if (request.complete || !hasBody(request) || !(request instanceof IncomingMessage)) return;
  const timer = setTimeout(() => endLate(request), withinMs).unref();
  request.once('close', () => clearTimeout(timer)).once('end', () => clearTimeout(timer));
}

/** PERF: most requests have none, and need no timer. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

function endLate({ complete, socket }: IncomingMessage): void {
  // All of it came, and its answer takes longer.
  if (complete) return;
  answerClientError(
    Object.assign(new Error('the body comes too slowly'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }),
    socket,
  );
}

/** Throws where the client goes away before the end: what it has sent is no body. */
async function* readWhole(body: IncomingMessage, { nextPiece, rest }: BodyTimes): AsyncGenerator<Uint8Array, void> {
  const pieces = body.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array, undefined>;
  const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
    // While a piece is written down it is not the client who is slow.
    const timer = setTimeout(() => endLate(body), nextPiece).unref();
    try {
      return await pieces.next();
    } catch (error) {
      throw new MatrixError('M_UNKNOWN', 'The body did not come whole', { status: 400, cause: error });
    } finally {
      clearTimeout(timer);
    }
  };
  try {
    for (let piece = await next(); piece.done !== true; piece = await next()) yield piece.value;
  } finally {
    // Who reads no further still answers, and the connection is used again: what else comes is passed over, for a while.
    await pieces.return?.();
    endUnlessRead(body.resume(), rest);
  }
}
