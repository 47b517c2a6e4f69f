import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import Fastify, { type FastifyInstance, type RouteHandler } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { CONNECTION_TIMEOUTS } from './fastify-options.js';
import { type BodyTimes, letBodiesStream, streamedBodyOf } from './streamed-body.js';

const LONG_MS = 600_000;
const fastifies: FastifyInstance[] = [];
afterEach(async () => {
  for (const fastify of fastifies.splice(0)) await fastify.close();
});

/** A server that answers how many bytes it read; of `/part` no more than the first piece. */
async function start(times: Partial<BodyTimes>): Promise<number> {
  const fastify = Fastify({ ...CONNECTION_TIMEOUTS, forceCloseConnections: true });
  fastifies.push(fastify);
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  letBodiesStream(fastify, { whole: LONG_MS, nextPiece: LONG_MS, rest: LONG_MS, ...times });
  const route = (url: string, config: object, handler: RouteHandler): unknown =>
    fastify.route({ method: 'POST', url, config, handler });
  route('/read', {}, async ({ body }) => ({ bytes: (body as Buffer).length }));
  route('/streamed', { streamsBody: true }, async (request) => {
    let bytes = 0;
    for await (const piece of streamedBodyOf(request).stream) bytes += piece.length;
    return { bytes };
  });
  fastify.route({ method: ['GET', 'POST'], url: '/late', handler: () => setTimeout(100, { late: true }) });
  route('/part', { streamsBody: true }, async (request) => {
    for await (const piece of streamedBodyOf(request).stream) return { bytes: piece.length };
    return {};
  });
  await fastify.listen({ port: 0, host: '127.0.0.1' });
  return (fastify.server.address() as AddressInfo).port;
}

/** Begins a request whose body is longer than what comes of it. */
async function begin(port: number, path: string): Promise<{ socket: Socket; answered: () => string }> {
  const socket = connect(port, '127.0.0.1');
  let answered = '';
  socket.on('data', (piece) => (answered += piece.toString())).on('error', () => {});
  await once(socket, 'connect');
  socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nbegun`);
  return { socket, answered: () => answered };
}

describe('a body that comes slowly', () => {
  it('is answered 408 and its connection ends, where nothing more of what is streamed comes', async () => {
    const port = await start({ nextPiece: 20 });
    const { socket, answered } = await begin(port, '/streamed');
    await once(socket, 'close');
    expect(answered()).toMatch(/^HTTP\/1.1 408 .*M_UNKNOWN/s);
  });

  it('is as long as it takes where it is streamed and goes on coming', async () => {
    const port = await start({ whole: 20, rest: 20 });
    const sent = httpRequest({ port, host: '127.0.0.1', method: 'POST', path: '/streamed' });
    const response = once(sent, 'response');
    for (let i = 0; i < 5; i++) {
      sent.write('piece');
      await setTimeout(10);
    }
    sent.end();
    const [answer] = (await response) as [NodeJS.ReadableStream];
    let text = '';
    for await (const piece of answer) text += String(piece);
    expect(JSON.parse(text)).toEqual({ bytes: 25 });
  });

  it('is answered 408 where it is read before its door is asked', async () => {
    const port = await start({ whole: 20 });
    const { socket, answered } = await begin(port, '/read');
    await once(socket, 'close');
    expect(answered()).toMatch(/^HTTP\/1.1 408 /);
  });

  it('is not waited for where nobody reads it further', async () => {
    const port = await start({ rest: 20 });
    const { socket, answered } = await begin(port, '/part');
    await once(socket, 'close');
    expect(answered()).toContain('{"bytes":5}');
  });
});

describe('a body that came in time', () => {
  it.each(['GET', 'POST'] as const)('has nothing ended while its answer takes longer: %s', async (method) => {
    const port = await start({ whole: 20 });
    const body = method === 'POST' ? 'whole' : undefined;
    const answer = await fetch(`http://127.0.0.1:${port}/late`, { method, body });
    expect([answer.status, await answer.json()]).toEqual([200, { late: true }]);
  });

  it('has nothing ended where it came by no connection', async () => {
    await start({ whole: 20 });
    const answer = await fastifies[0]!.inject('/late');
    expect(answer.statusCode).toBe(200);
    // What a timer throws ends the run.
    await setTimeout(40);
  });
});

it('requests may take longer than a body that is read whole, and no longer than an hour', () => {
  expect(CONNECTION_TIMEOUTS.requestTimeout).toBe(3_600_000);
});
