import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AccountsModule } from '#accounts/accounts.module';
import { accountProjectors } from '#accounts/projections/account-projectors';
import { ActingServices } from '#accounts/sessions/acting-services';
import { KnownTokens } from '#accounts/sessions/known-tokens';
import { AdminModule } from '#admin/admin.module';
import { TAKEN_DEVICE_IDS } from '#accounts/taken-device-ids';
import { CONFIG, type Config, loadConfig } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { KeyedNames } from '#event-store/keyed-names';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { HttpModule } from '#http/http.module';
import { MatrixAdapter } from '#http/matrix-adapter';
import { CLOCK, type Clock, type Stopwatch } from '#kernel/clock';
import type { JsonObject } from '#kernel/json';
import { HELD_CLOCK } from '#projections/held-clock';
import { ProjectionRuntime } from '#projections/projection-runtime';
import type { Listener } from '#projections/listener';
import { VIEWS } from '#projections/views';
import { READ_MODEL_STORE } from '#read-models/read-model-store';
import { generateSigningKey, SIGNING_KEY } from '#protocol/signing/signing-key';
import { PushModule } from '#push/push.module';
import { pushRulesProjector } from '#push/projections/push-rules.projector';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { ALIAS_BOOK } from '#rooms/alias-book';
import { TEST_NAMES } from './test-names.js';

/** An answer over HTTP. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** The parsed body; `{}` where it is no JSON object. */
  readonly body: JsonObject;
}

export interface RequestOptions {
  readonly token?: string;
  readonly body?: unknown;
  /** The body as it is sent, instead of JSON. */
  readonly raw?: string;
}

/** Accounts, push rules and administration over real stores, without the rest of the server. */
export interface AccountsApp {
  readonly config: Config;
  readonly store: EventStore;
  readonly views: ProjectionRuntime;
  /** Milliseconds since the epoch, for tests to move. */
  readonly time: { now: number };
  get<T>(token: abstract new (...parameters: never[]) => T): T;
  call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, options?: RequestOptions): Promise<Answer>;
  close(): Promise<void>;
}

/** Starts it in a directory of its own. Settings are those of the environment; registration is open unless they say otherwise. */
export async function startAccountsApp(settings: Readonly<Record<string, string>> = {}): Promise<AccountsApp> {
  const directory = mkdtempSync(join(tmpdir(), 'annals-accounts-'));
  const config = loadConfig({
    ANNALS_SERVER_NAME: 'example.org',
    ANNALS_REGISTRATION: 'open',
    ANNALS_RATE_LIMITS: 'off',
    ANNALS_DATA_DIR: directory,
    ...settings,
  });
  const time = { now: 1_700_000_000_000 };
  const clock: Clock & Stopwatch = {
    now: () => time.now,
    elapsed: () => performance.now(),
  };
  const store = await openLmdbEventStore(join(directory, 'log'));
  const readModels = await openLmdbReadModels(join(directory, 'views'));
  const listeners: Listener[] = [];
  const projectors = [...accountProjectors, pushRulesProjector];
  const views = new ProjectionRuntime({
    store,
    readModels,
    projectors,
    listeners,
    clock,
  });

  @Global()
  @Module({
    providers: [
      { provide: CONFIG, useValue: config },
      { provide: CLOCK, useValue: clock },
      { provide: HELD_CLOCK, useExisting: CLOCK },
      { provide: EVENT_STORE, useValue: store },
      { provide: READ_MODEL_STORE, useValue: readModels },
      { provide: VIEWS, useValue: views },
      { provide: SIGNING_KEY, useValue: generateSigningKey() },
      { provide: KeyedNames, useValue: TEST_NAMES },
      // There are no rooms.
      { provide: ALIAS_BOOK, useValue: { listOf: () => Promise.resolve([]) } },
      {
        provide: TAKEN_DEVICE_IDS,
        useValue: { look: () => Promise.resolve({ isTaken: false, revision: Infinity }) },
      },
    ],
    exports: [
      ALIAS_BOOK,
      TAKEN_DEVICE_IDS,
      CONFIG,
      CLOCK,
      EVENT_STORE,
      READ_MODEL_STORE,
      VIEWS,
      SIGNING_KEY,
      KeyedNames,
    ],
  })
  class TestPorts {}

  @Module({
    imports: [TestPorts, CqrsModule.forRoot(), HttpModule, AccountsModule, PushModule, AdminModule],
  })
  class TestApp {}

  const app = await NestFactory.create<NestFastifyApplication>(TestApp, new MatrixAdapter(config), {
    abortOnError: false,
    bodyParser: false,
    logger: ['error', 'warn'],
  });
  listeners.push(app.get(KnownTokens, { strict: false }), app.get(ActingServices, { strict: false }));
  await views.start();
  await app.init();
  await app.getHttpAdapter().getInstance().ready();

  return {
    config,
    store,
    views,
    time,
    get: (token) => app.get(token, { strict: false }),
    async call(method, path, { token, body, raw } = {}) {
      const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const response = await app.getHttpAdapter().getInstance().inject({ method, url: path, headers, payload });
      return {
        status: response.statusCode,
        headers: response.headers,
        text: response.payload,
        body: objectOf(response.payload),
      };
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

function objectOf(text: string): JsonObject {
  return text.startsWith('{') ? (JSON.parse(text) as JsonObject) : {};
}
