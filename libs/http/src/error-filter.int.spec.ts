import 'reflect-metadata';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { All, Controller, type LoggerService, Module } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CONFIG } from '#config/config';
import { ErrorFilter } from './error-filter.js';
import { MatrixAdapter } from './matrix-adapter.js';
import { SHUTDOWN } from './shutdown.js';

/** A request that is under way, until it finds what it reads closed. */
let underWay: { readonly begun: () => void; readonly over: Promise<void> };

@Controller()
class LongDoor {
  @All('long')
  async long(): Promise<never> {
    underWay.begun();
    await underWay.over;
    throw new Error('Can not read from a closed database');
  }
}

let app: NestFastifyApplication;
let shutdown: AbortController;
let told: [level: string, text: unknown][];
let begun: Promise<void>;
let end: () => void;

beforeEach(async () => {
  told = [];
  shutdown = new AbortController();
  begun = new Promise((resolve) => {
    const over = new Promise<void>((ended) => (end = ended));
    underWay = { begun: resolve, over };
  });
  const telling = (level: string) => (_message: unknown, text: unknown) => void told.push([level, text]);
  const logger = Object.fromEntries(['log', 'warn', 'error', 'debug', 'fatal'].map((level) => [level, telling(level)]));
  @Module({
    controllers: [LongDoor],
    providers: [
      { provide: CONFIG, useValue: { publicUrl: '' } },
      { provide: SHUTDOWN, useFactory: () => shutdown.signal },
      { provide: APP_FILTER, useClass: ErrorFilter },
    ],
  })
  class AppModule {}
  const options = { bodyParser: false, logger: logger as unknown as LoggerService }; // All that is asked for here.
  app = await NestFactory.create<NestFastifyApplication>(AppModule, new MatrixAdapter({ trustProxy: [] }), options);
  await app.listen(0, '127.0.0.1');
});
afterEach(() => app.close());

const POST = 'POST /long HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';
const GET = 'GET /long HTTP/1.1\r\nHost: a\r\n\r\n';

it.each([
  ['is an internal error where its client is gone while the server goes on', POST, true, false, 'internal error'],
  ['is one, too, where that client had no body to send', GET, true, false, 'internal error'],
  ['is one where its client waits for the answer while the server ends', POST, false, true, 'internal error'],
  ['is none where its client is gone and the server ends', POST, true, true, 'ended with the server'],
])('what a request cannot read %s', async (_, request, isGone, isEnding, text) => {
  const server = app.getHttpServer();
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {});
  socket.write(request);
  await begun;
  if (isEnding) shutdown.abort();
  if (isGone) {
    socket.destroy();
    await expect.poll(async () => new Promise((resolve) => server.getConnections((_error, n) => resolve(n)))).toBe(0);
  }
  end();
  if (!isGone) await once(socket, 'data');
  socket.destroy();
  const level = text === 'internal error' ? 'error' : 'debug';
  await expect.poll(() => told).toContainEqual([level, text]);
  expect(told.filter(([each]) => each === 'error')).toHaveLength(level === 'error' ? 1 : 0);
});
