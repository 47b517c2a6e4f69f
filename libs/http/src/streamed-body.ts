import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { MatrixError } from '#kernel/matrix-error';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the client says that a body is which the door reads as it comes. */
    streamedType?: string;
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

/** Under this the framework finds the parser that reads nothing. */
const STREAMED = 'application/x-annals-streamed';

/** The door reads the body of this route as it comes, by `@Streamed()`, and sets a bound of its own. */
export function StreamsBody(): MethodDecorator {
  return RouteConfig({ streamsBody: true }) as MethodDecorator;
}

/** The body, behind `@StreamsBody()`: to be read once, and to its end or not at all. */
export const Streamed = createParamDecorator((_: unknown, context: ExecutionContext): StreamedBody => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const { body, headers, streamedType: type } = request;
  const length = headers['content-length'];
  const bytes = length === undefined ? undefined : Number(length);
  // Where there is no body the framework asks no parser for one.
  const stream = body instanceof Readable ? readWhole(body) : Readable.from([]);
  return { stream, type, bytes };
});

/** Has a server leave the bodies of such routes to their doors. */
export function letBodiesStream(fastify: FastifyInstance): void {
  fastify.addContentTypeParser(STREAMED, (_request, payload, done) => done(null, payload));
  fastify.addHook('onRequest', (request, _reply, done) => {
    const { headers } = request.raw;
    const { streamsBody } = (request.routeOptions.config ?? {}) as { readonly streamsBody?: boolean };
    if (streamsBody === true) {
      request.streamedType = headers['content-type'];
      headers['content-type'] = STREAMED;
    } else if (headers['content-type']?.startsWith(STREAMED) === true) {
      headers['content-type'] = 'application/octet-stream';
    }
    done();
  });
}

/** Throws where the client goes away before the end: what it has sent is no body. */
async function* readWhole(body: Readable): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw new MatrixError('M_UNKNOWN', 'The body did not come whole', { status: 400, cause: error });
  } finally {
    // Who reads no further still answers, and the connection is used again: what else comes is passed over.
    body.resume();
  }
}
