import { Writable } from 'node:stream';
import { fastify } from 'fastify';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { Metrics } from './metrics.js';
import { watchRequests } from './request-log.js';

it('logs and measures each request by the template of its path, never with its query', async () => {
  let logged = '';
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logged += chunk.toString();
      done();
    },
  });
  const metrics = new Metrics();
  const app = fastify();
  watchRequests(app, pino({}, sink), metrics);
  app.get('/rooms/:roomId/state', (request) => {
    Object.assign(request, { requester: { userId: '@a:x' } });
    return {};
  });
  app.get('/health', () => ({}));

  await app.inject('/rooms/!secret:x/state?access_token=hunter2');
  await app.inject('/nowhere/at/all?access_token=hunter2#access_token=hunter2');
  await app.inject('/health');

  const lines = logged
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toMatchObject([
    { method: 'GET', route: '/rooms/:roomId/state', status: 200, user: '@a:x', ms: expect.any(Number) },
    { method: 'GET', route: '/nowhere/at/all', status: 404 },
  ]);
  expect(lines[0]?.requestId).toEqual(expect.any(String));
  expect(logged).not.toContain('hunter2');
  expect(logged).not.toContain('!secret');

  const { text } = await metrics.expose();
  expect(text).toContain(
    'annals_http_request_duration_seconds_count{method="GET",route="/rooms/:roomId/state",status="200"} 1',
  );
  expect(text).toContain('route="unknown",status="404"');
  expect(text).not.toContain('nowhere');
});
