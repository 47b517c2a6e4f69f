import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Global, Module, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AccountsModule } from '#accounts/accounts.module';
import { accountProjectors } from '#accounts/projections/account-projectors';
import { ActingServices } from '#accounts/sessions/acting-services';
import { KnownTokens } from '#accounts/sessions/known-tokens';
import { AdminModule } from '#admin/admin.module';
import { CallsModule } from '#calls/calls.module';
import { delayedEventsProjector } from '#calls/projections/delayed-events.projector';
import { CONFIG, loadConfig } from '#config/config';
import { DEVICE_PEERS, NO_PEERS } from '#devices/device-peers';
import { HOMESERVERS, NO_HOMESERVERS } from '#identity/homeservers';
import { DirectoryModule } from '#directory/directory.module';
import { directoryProjectors } from '#directory/projections/directory-projectors';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { KeyedNames } from '#event-store/keyed-names';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { answerAfterEffects } from '#http/answer-after-effects';
import { Peers } from '#federation/peers/peers';
import { HttpModule } from '#http/http.module';
import { MatrixAdapter } from '#http/matrix-adapter';
import { SHUTDOWN } from '#http/shutdown';
import { CLOCK, systemClock } from '#kernel/clock';
import type { JsonObject } from '#kernel/json';
import { createLogger, LOGGER } from '#observability/logger';
import { Metrics, METRICS } from '#observability/metrics';
import { HELD_CLOCK } from '#projections/held-clock';
import { ProjectionRuntime } from '#projections/projection-runtime';
import type { Effect } from '#projections/effects/effect';
import type { Listener } from '#projections/listener';
import { EFFECTS, ProcessesModule } from '#processes/processes.module';
import { VIEWS } from '#projections/views';
import { pushRulesProjector } from '#push/projections/push-rules.projector';
import { PushModule } from '#push/push.module';
import { SIGNING_KEY } from '#protocol/signing/signing-key';
import { READ_MODEL_STORE } from '#read-models/read-model-store';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { ownKey } from '#rooms/commands/own-key';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { roomProjectors } from '#rooms/projections/room-projectors';
import { RoomsModule } from '#rooms/rooms.module';
import { HISTORY_ELSEWHERE, NO_HISTORY_ELSEWHERE } from '#rooms/history-elsewhere';
import { SERVER_KEYS } from '#rooms/server-keys';
import { searchProjector } from '#search/projections/search.projector';
import { SearchModule } from '#search/search.module';
import { TEST_AUTHOR } from './local-room.js';
import { TestPeers } from './test-peers.js';
import { TEST_NAMES } from './test-names.js';

/** What a request was answered. */
export interface RoomsAnswer {
  readonly status: number;
  // The suites look at what they expect of each answer; nothing here knows the API.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

export interface RoomsRequest {
  readonly token?: string;
  readonly body?: unknown;
}

export interface RawRequest {
  readonly method: Method;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Someone with an account, speaking to the doors of today's API: paths are behind `/_matrix/client/v3`. */
export interface TestUser {
  readonly userId: string;
  readonly token: string;
  call(method: Method, path: string, body?: unknown): Promise<RoomsAnswer>;
  /** As `call`, for what must succeed: answers the body. */
  ok(method: Method, path: string, body?: unknown): Promise<RoomsAnswer['body']>;
  createRoom(options?: object): Promise<string>;
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Rooms, their directory and accounts over real stores, without the rest of the server. */
export interface RoomsApp {
  call(method: Method, path: string, request?: RoomsRequest): Promise<RoomsAnswer>;
  /** A request as it is. */
  send(path: string, request: RawRequest): Promise<RoomsAnswer>;
  register(username: string): Promise<TestUser>;
  registerGuest(): Promise<TestUser>;
  /** The log. */
  readonly store: EventStore;
  close(): Promise<void>;
}

/** Starts it in a directory of its own. `others`: what it is given besides, such as what asks other servers; `settings`: of its configuration. */
export async function startRoomsApp(
  others: readonly Exclude<Provider, Type>[] = [],
  settings: Readonly<Record<string, string>> = {},
): Promise<RoomsApp> {
  const directory = mkdtempSync(join(tmpdir(), 'annals-rooms-'));
  const config = loadConfig({
    ANNALS_SERVER_NAME: TEST_AUTHOR.serverName,
    ANNALS_REGISTRATION: 'open',
    ANNALS_RATE_LIMITS: 'off',
    ANNALS_DATA_DIR: directory,
    ...settings,
  });
  const store = await openLmdbEventStore(join(directory, 'log'));
  const readModels = await openLmdbReadModels(join(directory, 'views'));
  const listeners: Listener[] = [];
  const effects: Effect[] = [];
  const search = searchProjector(createRoomFactReader());
  const projectors = [
    ...roomProjectors(),
    ...directoryProjectors(),
    ...accountProjectors,
    pushRulesProjector,
    search,
    delayedEventsProjector,
  ];
  const views = new ProjectionRuntime({ store, readModels, projectors, listeners, effects, clock: systemClock });
  const ports: Exclude<Provider, Type>[] = [
    { provide: CONFIG, useValue: config },
    { provide: CLOCK, useValue: systemClock },
    { provide: HELD_CLOCK, useExisting: CLOCK },
    { provide: SHUTDOWN, useValue: new AbortController().signal },
    { provide: EVENT_STORE, useValue: store },
    { provide: READ_MODEL_STORE, useValue: readModels },
    { provide: VIEWS, useValue: views },
    { provide: SIGNING_KEY, useValue: TEST_AUTHOR.signingKey },
    { provide: KeyedNames, useValue: TEST_NAMES },
    { provide: HOMESERVERS, useValue: NO_HOMESERVERS },
    { provide: DEVICE_PEERS, useValue: NO_PEERS },
    { provide: HISTORY_ELSEWHERE, useValue: NO_HISTORY_ELSEWHERE },
    { provide: Peers, useValue: new TestPeers().peers },
    { provide: SERVER_KEYS, useValue: ownKey(TEST_AUTHOR) },
    { provide: METRICS, useValue: new Metrics() },
    { provide: LOGGER, useValue: await createLogger('silent') },
    ...others,
  ];

  @Global()
  @Module({ providers: ports, exports: ports.map(({ provide }) => provide) })
  class TestPorts {}

  const domains = [AccountsModule, RoomsModule, DirectoryModule, PushModule, SearchModule, CallsModule, AdminModule];

  @Module({ imports: [TestPorts, CqrsModule.forRoot(), HttpModule, ...domains, ProcessesModule] })
  class TestApp {}

  const adapter = new MatrixAdapter(config);
  answerAfterEffects(adapter.getInstance(), views.effects);
  const app = await NestFactory.create<NestFastifyApplication>(TestApp, adapter, {
    abortOnError: false,
    bodyParser: false,
    logger: ['error', 'warn'],
  });
  listeners.push(app.get(KnownTokens, { strict: false }), app.get(ActingServices, { strict: false }));
  for (const effect of EFFECTS) effects.push(app.get(effect, { strict: false }));
  await views.start();
  await app.init();
  const fastify = app.getHttpAdapter().getInstance();
  await fastify.ready();

  const call: RoomsApp['call'] = async (method, path, { token, body } = {}) => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fastify.inject({ method, url: path, headers, payload });
    return { status: response.statusCode, body: JSON.parse(response.payload) as unknown };
  };
  return {
    call,
    async send(url, { method, headers, body }) {
      const response = await fastify.inject({ method, url, headers: { ...headers }, payload: body });
      return { status: response.statusCode, body: JSON.parse(response.payload) as unknown };
    },
    store,
    async register(username) {
      const body = { username, password: `of ${username}`, auth: { type: 'm.login.dummy' } };
      const { body: session } = await call('POST', '/_matrix/client/v3/register', { body });
      return testUser(call, session as JsonObject);
    },
    async registerGuest() {
      const { body: session } = await call('POST', '/_matrix/client/v3/register?kind=guest', { body: {} });
      return testUser(call, session as JsonObject);
    },
    async close() {
      await app.close();
      await views.stop();
      await store.close();
      await readModels.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function testUser(request: RoomsApp['call'], session: JsonObject): TestUser {
  const token = String(session['access_token']);
  const call: TestUser['call'] = (method, path, body) =>
    request(method, path.startsWith('/_') ? path : `/_matrix/client/v3${path}`, { token, body });
  const ok: TestUser['ok'] = async (method, path, body) => {
    const answer = await call(method, path, body);
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  return {
    userId: String(session['user_id']),
    token,
    call,
    ok,
    createRoom: async (options = {}) => (await ok('POST', '/createRoom', options)).room_id,
  };
}
