import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { loadConfig } from '#config/config';
import { KeyedNames } from '#event-store/keyed-names';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { TodaysEventStore } from '#event-store/todays-event-store';
import { MatrixAdapter } from '#http/matrix-adapter';
import { systemClock } from '#kernel/clock';
import { createLogger } from '#observability/logger';
import { MeteredEventStore } from '#observability/metered-event-store';
import { Metrics } from '#observability/metrics';
import type { Effect } from '#projections/effects/effect';
import type { Listener } from '#projections/listener';
import { ProjectionRuntime } from '#projections/projection-runtime';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { TEST_AUTHOR } from '#testing/local-room';
import { registerAdmin } from '#testing/register-admin';
import { AppModule } from '../src/app.module.js';
import { ALL_EFFECTS } from '../src/effects.js';
import { LISTENERS } from '../src/listeners.js';
import { listProjectors } from '../src/projectors.js';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly bytes: Buffer;
}

export interface RequestParts {
  readonly token?: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The whole server in this process, over stores in a folder of its own, and what its doors read of each query. */
export class WholeServer {
  /** The keys of queries that each route (method and template) has asked for so far. */
  readonly queryKeys = new Map<string, Set<string>>();

  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });

  private constructor(
    private readonly port: number,
    /** Its data folder. */
    readonly folder: string,
    /** What its modules have of a class. */
    readonly get: <T>(owner: Type<T>) => T,
    readonly close: () => Promise<void>,
  ) {}

  static async start(settings: Readonly<Record<string, string>> = {}): Promise<WholeServer> {
    const directory = mkdtempSync(join(tmpdir(), 'annals-whole-'));
    const config = loadConfig({
      ANNALS_SERVER_NAME: TEST_AUTHOR.serverName,
      ANNALS_REGISTRATION: 'open',
      ANNALS_RATE_LIMITS: 'off',
      ANNALS_REGISTRATION_SHARED_SECRET: 'a shared secret',
      ANNALS_DATA_DIR: directory,
      ANNALS_FEDERATION_NOTARIES: 'off',
      // What a test names as a server is none, and nothing is to be asked for outside of this process.
      ANNALS_FEDERATION_DENY: '*',
      ...settings,
    });
    const clock = systemClock;
    const metrics = new Metrics();
    const logger = await createLogger('error');
    const log = new TodaysEventStore(await openLmdbEventStore(join(directory, 'log')), FACT_SHAPES, ROOM_PARTS);
    const readModels = await openLmdbReadModels(join(directory, 'views'));
    const store = new MeteredEventStore(log, metrics, clock);
    const followers = { listeners: [] as Listener[], effects: [] as Effect[] };
    const projectors = listProjectors();
    const projections = new ProjectionRuntime({ store, readModels, projectors, ...followers, clock });
    const shutdown = new AbortController();
    const ports = { config, clock, logger, metrics, store, readModels, projections };
    const health = { store, projections, readModels, stopwatch: clock };
    const { signingKey } = TEST_AUTHOR;
    const names = new KeyedNames(signingKey.exportSeed());
    const module = AppModule.of({ ...ports, signingKey, names, shutdown: shutdown.signal, health });
    const options = { abortOnError: false, bodyParser: false, logger: false } as const;
    const adapter = new MatrixAdapter(config);
    const app = await NestFactory.create<NestFastifyApplication>(module, adapter, options);
    for (const listener of LISTENERS) followers.listeners.push(app.get(listener, { strict: false }));
    for (const effect of ALL_EFFECTS) followers.effects.push(app.get(effect, { strict: false }));
    const close = async (): Promise<void> => {
      shutdown.abort();
      const closed = app.close();
      // Of an answer that its client has whole the server may not have heard the end: it would wait for that connection to idle.
      server.server.closeAllConnections();
      await closed;
      await projections.stop();
      await store.close();
      await readModels.close();
      rmSync(directory, { recursive: true, force: true });
    };
    const server = adapter.getInstance();
    let note = (_request: FastifyRequest): void => undefined;
    server.addHook('preHandler', (request, _reply, done) => {
      note(request);
      done();
    });
    await app.init();
    await projections.start();
    await app.listen(0, '127.0.0.1');
    const address = app.getHttpServer().address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const whole = new WholeServer(port, directory, (owner) => app.get(owner, { strict: false }), close);
    note = (request) => whole.#noteQuery(request);
    return whole;
  }

  /** Where it listens. */
  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Somebody with an account, or a guest. */
  async register(username: string, kind: 'user' | 'guest' = 'user'): Promise<{ userId: string; token: string }> {
    const body = JSON.stringify({ username, password: 'a password', auth: { type: 'm.login.dummy' } });
    const { text } = await this.request('POST', `/_matrix/client/v3/register?kind=${kind}`, { body });
    const session = JSON.parse(text) as { user_id: string; access_token: string };
    return { userId: session.user_id, token: session.access_token };
  }

  /** Makes an administrator, `@root`, and answers their access token. */
  registerAdmin(): Promise<string> {
    return registerAdmin({
      call: async (method, path, { body } = {}) => {
        const sent = body === undefined ? {} : { body: JSON.stringify(body) };
        const { status, text } = await this.request(method, path, sent);
        return { status, body: JSON.parse(text) };
      },
    });
  }

  /** A request whose path is sent as it is. */
  request(method: string, path: string, { token, body, headers = {} }: RequestParts = {}): Promise<Answer> {
    const all = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
      ...headers,
    };
    const to = { host: '127.0.0.1', port: this.port, agent: this.#agent };
    return new Promise((resolve, reject) => {
      const sent = httpRequest({ ...to, method, path, headers: all });
      sent.on('error', reject);
      sent.on('response', (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(pieces);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text: bytes.toString(), bytes });
        });
      });
      sent.end(body);
    });
  }

  #noteQuery(request: FastifyRequest): void {
    const route = `${request.method} ${request.routeOptions.url}`;
    let keys = this.queryKeys.get(route);
    if (keys === undefined) this.queryKeys.set(route, (keys = new Set()));
    const asked = keys;
    request.query = new Proxy(request.query as Record<string, unknown>, {
      get(query, key) {
        // Whoever waits for a value asks whether it is a promise.
        if (typeof key === 'string' && key !== 'then') asked.add(key);
        return query[key as string];
      },
    });
  }
}
