import { join } from 'node:path';
import { Global, Module, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AccountsModule } from '#accounts/accounts.module';
import { accountProjectors } from '#accounts/projections/account-projectors';
import { ActingServices } from '#accounts/sessions/acting-services';
import { KnownTokens } from '#accounts/sessions/known-tokens';
import { delayedEventsProjector } from '#calls/projections/delayed-events.projector';
import { CONFIG, loadConfig } from '#config/config';
import { DEVICE_PEERS, NO_PEERS } from '#devices/device-peers';
import { DevicesModule } from '#devices/devices.module';
import { contactsProjector } from '#contacts/projections/contacts.projector';
import { deviceProjectors } from '#devices/projections/device-projectors';
import { ContactsModule } from '#contacts/contacts.module';
import { HOMESERVERS, NO_HOMESERVERS } from '#identity/homeservers';
import { DirectoryModule } from '#directory/directory.module';
import { directoryProjectors } from '#directory/projections/directory-projectors';
import { EphemeralModule } from '#ephemeral/ephemeral.module';
import { Subscribers } from '#ephemeral/lists/subscribers';
import { presenceProjector } from '#ephemeral/projections/presence.projector';
import { presenceListsProjector } from '#ephemeral/projections/presence-lists.projector';
import { receiptsProjector } from '#ephemeral/projections/receipts.projector';
import { NoteActivity } from '#ephemeral/presence/note-activity';
import { EndTyping } from '#ephemeral/typing/end-typing';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { KeyedNames } from '#event-store/keyed-names';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { TodaysEventStore } from '#event-store/todays-event-store';
import { answerAfterEffects } from '#http/answer-after-effects';
import { Peers } from '#federation/peers/peers';
import { HttpModule } from '#http/http.module';
import { MatrixAdapter } from '#http/matrix-adapter';
import { SHUTDOWN } from '#http/shutdown';
import { CLOCK, systemClock } from '#kernel/clock';
import { createLogger, LOGGER } from '#observability/logger';
import { Metrics, METRICS } from '#observability/metrics';
import { HELD_CLOCK } from '#projections/held-clock';
import { ProjectionRuntime } from '#projections/projection-runtime';
import type { Effect } from '#projections/effects/effect';
import { WHAT_FOLLOWS } from '#projections/effects/what-follows';
import type { Listener } from '#projections/listener';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { bindingsProjector } from '#identity/projections/bindings.projector';
import { identityProjector } from '#identity/projections/identity.projector';
import { storedInvitesProjector } from '#identity/projections/stored-invites.projector';
import { mediaProjector } from '#media/projections/media.projector';
import { EFFECTS, ProcessesModule } from '#processes/processes.module';
import { TAKEN_BACK_BY } from '#processes/taken-back-by';
import { VIEWS } from '#projections/views';
import { SIGNING_KEY } from '#protocol/signing/signing-key';
import { PushModule } from '#push/push.module';
import { pushRulesProjector } from '#push/projections/push-rules.projector';
import { dueDigestsProjector } from '#push/projections/due-digests.projector';
import { pushersProjector } from '#push/projections/pushers.projector';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { READ_MODEL_STORE, type ReadModelStore } from '#read-models/read-model-store';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { ownKey } from '#rooms/commands/own-key';
import { roomProjectors } from '#rooms/projections/room-projectors';
import { RoomsModule } from '#rooms/rooms.module';
import { HISTORY_ELSEWHERE, NO_HISTORY_ELSEWHERE } from '#rooms/history-elsewhere';
import { SERVER_KEYS } from '#rooms/server-keys';
import { ActiveUsers } from '#sync/notifier/active-users';
import { searchProjector } from '#search/projections/search.projector';
import { SearchModule } from '#search/search.module';
import { SyncModule } from '#sync/sync.module';
import { TEST_AUTHOR } from './local-room.js';
import { TestPeers } from './test-peers.js';
import { TEST_NAMES } from './test-names.js';

/** What an app is over. */
export interface Stores {
  readonly store: EventStore;
  readonly readModels: ReadModelStore;
}

/** What runs of an app, and how it ends. */
export interface RunningApp {
  readonly app: NestFastifyApplication;
  readonly store: EventStore;
  readonly views: ProjectionRuntime;
  readonly shutdown: AbortController;
  close(): Promise<void>;
  /** Ends it without its stores, which answer nothing any more: else its timers would keep it, and all it has in memory, for ever. */
  abandon(): void;
}

/** Stores of its own, in a folder. */
export async function openStores(directory: string): Promise<Stores> {
  return {
    store: await openLmdbEventStore(join(directory, 'log')),
    readModels: await openLmdbReadModels(join(directory, 'views')),
  };
}

/** The modules that rooms, accounts, devices and /sync need, over stores, without a listener. */
export async function startSyncApp(
  directory: string,
  { store: log, readModels }: Stores,
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningApp> {
  const config = loadConfig({
    ANNALS_SERVER_NAME: TEST_AUTHOR.serverName,
    ANNALS_REGISTRATION: 'open',
    ANNALS_RATE_LIMITS: 'off',
    ANNALS_DATA_DIR: directory,
    // What wakes long polls as people come and go is told by its own suites.
    ANNALS_PRESENCE: 'off',
    ...settings,
  });
  const store = new TodaysEventStore(log, FACT_SHAPES, ROOM_PARTS);
  const listeners: Listener[] = [];
  const effects: Effect[] = [];
  const reader = createRoomFactReader();
  const push = [pushRulesProjector, pushersProjector, delayedEventsProjector];
  const own = [...directoryProjectors(reader), receiptsProjector, presenceProjector, presenceListsProjector, ...push];
  const projectors = [
    contactsProjector,
    dueDigestsProjector,
    identityProjector,
    bindingsProjector,
    storedInvitesProjector,
    ...roomProjectors(reader),
    ...accountProjectors,
    ...deviceProjectors(reader),
    ...own,
    searchProjector(reader),
    mediaProjector(reader),
  ];
  const parts = { store, readModels, projectors, listeners, effects, clock: systemClock };
  const views = new ProjectionRuntime({ ...parts, takenBackBy: TAKEN_BACK_BY });
  const shutdown = new AbortController();
  const ports = [
    { provide: CONFIG, useValue: config },
    { provide: CLOCK, useValue: systemClock },
    { provide: HELD_CLOCK, useExisting: CLOCK },
    { provide: EVENT_STORE, useValue: store },
    { provide: READ_MODEL_STORE, useValue: readModels },
    { provide: VIEWS, useValue: views },
    { provide: WHAT_FOLLOWS, useValue: views.effects },
    { provide: SIGNING_KEY, useValue: TEST_AUTHOR.signingKey },
    { provide: KeyedNames, useValue: TEST_NAMES },
    { provide: DEVICE_PEERS, useValue: NO_PEERS },
    { provide: HOMESERVERS, useValue: NO_HOMESERVERS },
    { provide: HISTORY_ELSEWHERE, useValue: NO_HISTORY_ELSEWHERE },
    { provide: Peers, useValue: new TestPeers().peers },
    { provide: SERVER_KEYS, useValue: ownKey(TEST_AUTHOR) },
    { provide: METRICS, useValue: new Metrics() },
    { provide: LOGGER, useValue: await createLogger('error') },
    { provide: SHUTDOWN, useValue: shutdown.signal },
  ];

  @Global()
  @Module({ providers: ports, exports: ports.map(({ provide }) => provide) })
  class TestPorts {}

  const domains = [
    AccountsModule,
    RoomsModule,
    DevicesModule,
    DirectoryModule,
    EphemeralModule,
    SearchModule,
    SyncModule,
    PushModule,
    ContactsModule,
  ];

  @Module({ imports: [TestPorts, CqrsModule.forRoot(), HttpModule, ...domains, ProcessesModule] })
  class TestApp {}

  const adapter = new MatrixAdapter(config);
  answerAfterEffects(adapter.getInstance(), views.effects);
  const app = await NestFactory.create<NestFastifyApplication>(TestApp, adapter, {
    abortOnError: false,
    bodyParser: false,
    logger: ['error', 'warn'],
  });
  for (const listener of [KnownTokens, ActingServices, EndTyping, NoteActivity, Subscribers, ActiveUsers])
    listeners.push(app.get<Listener>(listener, { strict: false }));
  for (const effect of EFFECTS) effects.push(app.get(effect, { strict: false }));
  await views.start();
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  return {
    app,
    store,
    views,
    shutdown,
    async close() {
      shutdown.abort();
      await app.close();
      await views.stop();
      await store.close();
      await readModels.close();
    },
    abandon() {
      shutdown.abort();
      // Not by closing the application: where one of them waits for the stores, it would not come to the next.
      const all = [...app.get(ModulesContainer).values()].flatMap(({ providers }) => [...providers.values()]);
      for (const { instance } of all) if (isEnded(instance)) void instance.onModuleDestroy();
      void views.stop();
    },
  };
}

function isEnded(provider: unknown): provider is OnModuleDestroy {
  return typeof provider === 'object' && provider !== null && 'onModuleDestroy' in provider;
}
