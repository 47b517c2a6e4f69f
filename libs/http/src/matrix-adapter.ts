import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '#config/config';
import { bodyLimitOf } from './body-limit.js';
import { setCorsHeaders } from './cors.js';
import { MatrixError } from '#kernel/matrix-error';
import { fastifyOptions } from './fastify-options.js';
import { RawJson } from './raw-json.js';
import { RouteMethods } from './route-methods.js';
import { letBodiesStream } from './streamed-body.js';
import { withoutPorts } from './without-ports.js';

const JSON_TYPE = 'application/json';
const FASTIFY_JSON_TYPE = 'application/json; charset=utf-8';

/**
 * Nest's Fastify adapter as the protocol wants it: bodies arrive as bytes whatever their content type, browsers are welcome,
 * unknown paths and wrong methods are told apart, `RawJson` is sent as it is. Create the application with `bodyParser: false`.
 */
export class MatrixAdapter extends FastifyAdapter {
  readonly #routes = new RouteMethods();

  constructor(config: Pick<Config, 'trustProxy'>) {
    super(fastifyOptions(config));
    const fastify = this.getInstance();
    // No server must meet an expectation other than `100-continue` (RFC 9110, section 10.1.1): others decide nothing.
    fastify.server.on('checkExpectation', (request, response) => fastify.routing(request, response));
    fastify.removeAllContentTypeParsers();
    fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    fastify.addHook('onRoute', (route) => {
      this.#routes.add(route.url, route.method);
      route.bodyLimit = bodyLimitOf(route.config) ?? route.bodyLimit;
    });
    fastify.addHook('onRequest', (request, reply, done) => {
      setCorsHeaders(reply);
      if (config.trustProxy.length > 0) dropPorts(request);
      if (request.method === 'OPTIONS') {
        void reply.code(204).send();
        return;
      }
      dropBadContentType(request);
      if (isReadable(request.url)) return done();
      void reply.code(400).send(UNREADABLE);
    });
    letBodiesStream(fastify);
    // JSON has no charset parameter (RFC 8259, section 11), and some clients compare the whole header.
    fastify.addHook('onSend', (_request, reply, payload, done) => {
      if (reply.getHeader('content-type') === FASTIFY_JSON_TYPE) void reply.header('content-type', JSON_TYPE);
      done(null, payload);
    });
  }

  // PERF: text is sent as it is; everything else pays one `instanceof`.
  override reply(response: FastifyReply, body: unknown, statusCode?: number): FastifyReply {
    if (!(body instanceof RawJson)) return super.reply(response, body, statusCode) as FastifyReply;
    if (statusCode !== undefined) void response.status(statusCode);
    return response.header('content-type', JSON_TYPE).send(body.text);
  }

  override setNotFoundHandler(): ReturnType<FastifyAdapter['setNotFoundHandler']> {
    return this.getInstance().setNotFoundHandler((request, reply) => {
      const allowed = this.#routes.find(request.url);
      const known = allowed.size > 0 && !allowed.has(request.method);
      if (known) void reply.header('allow', [...allowed, 'OPTIONS'].join(', '));
      void reply.code(known ? 405 : 404).send({
        errcode: 'M_UNRECOGNIZED',
        error: known ? 'This path does not take that method' : 'There is no such path',
      });
    }) as ReturnType<FastifyAdapter['setNotFoundHandler']>;
  }
}

const UNREADABLE = new MatrixError('M_INVALID_PARAM', 'The query is not properly percent-encoded').toBody();
/** What a URL holds with no escapes (RFC 3986), and what browsers leave unescaped besides. */
const PLAIN_URL = /^[!-~]*$/;

/**
 * Whether the query of a URL can be read: the router takes what is no UTF-8, or no escape, for the text that it spells, and
 * would ask for something else than the client meant. It looks at the path itself.
 */
function isReadable(url: string): boolean {
  if (!PLAIN_URL.test(url)) return false;
  const query = url.indexOf('?');
  // PERF: most queries have no escapes.
  if (query < 0 || !url.includes('%', query)) return true;
  try {
    decodeURIComponent(url.slice(query));
    return true;
  } catch {
    return false;
  }
}

/** Before anybody asks whom the request is from: Fastify reads the header as it is. */
function dropPorts({ raw: { headers } }: FastifyRequest): void {
  const told = headers['x-forwarded-for'];
  if (typeof told === 'string') headers['x-forwarded-for'] = withoutPorts(told);
}

/** A content type that is none (`json`) would be refused with 415 before a parser sees the body: it decides nothing here. */
function dropBadContentType(request: FastifyRequest): void {
  const { headers } = request.raw;
  const type = headers['content-type'];
  if (type !== undefined && type !== 'application/json' && !/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+ *(;|$)/.test(type))
    headers['content-type'] = 'application/octet-stream';
}
