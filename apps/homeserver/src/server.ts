import 'reflect-metadata';
import { hash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { Server } from 'node:http';
import { hostname } from 'node:os';
import { ErasuresAgain } from '#admin/erasures/erasures-again';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { FirstRegistrationToken } from '#accounts/first-registration-token';
import type { AppService } from '#config/appservices/app-service';
import { AppServices } from '#config/appservices/app-services';
import type { Config } from '#config/config';
import { ConfigError } from '#config/config-error';
import { SendToServices } from '#appservices/sending/send-to-services.effect';
import { Peers } from '#federation/peers/peers';
import { PolicyServers } from '#federation/policy/policy-servers';
import { Destinations } from '#federation/sending/destinations';
import { takeWriterLock } from '#event-store/lmdb/writer-lock';
import { drain, type DrainStep } from '#http/drain';
import { RateLimits } from '#http/rate-limits';
import { systemClock } from '#kernel/clock';
import { KeptContent } from '#media/kept-content';
import { Mailer } from '#mail/mailer';
import { Texter } from '#phones/texter';
import type { LogSink } from '#observability/log-sink';
import type { Logger, ProcessLog } from '#observability/logger';
import { MeteredEventStore } from '#observability/metered-event-store';
import { Metrics } from '#observability/metrics';
import { NestLogger } from '#observability/nest-logger';
import { TAKEN_BACK_BY } from '#processes/taken-back-by';
import { ProjectionRuntime } from '#projections/projection-runtime';
import type { Effect } from '#projections/effects/effect';
import { ViewsMisconfigured } from '#read-models/read-model-errors';
import type { Listener } from '#projections/listener';
import { AppModule } from './app.module.js';
import { ALL_EFFECTS } from './effects.js';
import { freeStrayContent } from './free-stray-content.js';
import { makeDirectory, openReadModels } from './infrastructure.js';
import { notePutBack } from './note-put-back.js';
import { openControl } from './open-control.js';
import { describeDamage, openOwnLog } from './open-own-log.js';
import { watchLog, watchViews } from './watch-stores.js';
import type { Ports } from './ports.module.js';
import { openAdapter } from './open-adapter.js';
import { listProjectors } from './projectors.js';
import { LISTENERS } from './listeners.js';
import { showFirstToken } from './show-first-token.js';
import { openTlsListener, type TlsListener } from './tls-listener.js';
import { watchCaches } from './watch-caches.js';
import { watchEffects } from './watch-effects.js';
import { watchDestinations } from './watch-destinations.js';
import { watchPeers } from './watch-peers.js';
import { watchLimits } from './watch-limits.js';
import { watchMail, watchTexts } from './watch-mail.js';
import { watchServices } from './watch-services.js';
import { watchProjections } from './watch-projections.js';
import { watchViewsStore } from './watch-views.js';

/** A server that answers. */
export interface RunningServer {
  /** Where it listens. */
  readonly address: string;
  /** Rereads the certificate of the listener with TLS, where there is one. Throws, and keeps the old one, where it is wrong. */
  renewCertificate(): void;
  /** Application services that were read anew take the place of those before. */
  replaceAppServices(all: readonly AppService[]): void;
  /** Stops accepting, ends long polls, finishes requests, flushes and closes. Answers whether all went well. */
  drain(): Promise<boolean>;
}

/** The most that each step of a drain may take; all of them stay below the 30 seconds that supervisors allow. */
const DRAIN_MS = {
  effects: 3000,
  control: 1000,
  requests: 10_000,
  modules: 4000,
  projections: 4000,
  views: 3000,
  log: 3000,
  dataFolder: 1000,
};

/** Between servers that share a log: one that is gone is found out within some six seconds. */
const EFFECT_LEASE = { answerMs: 4000, askMs: 2000 };

/**
 * Opens the stores, brings the projections up to the log, then listens. Throws where any of that fails, with what was open
 * closed again. `onStoreGone` is told that the log or the views do not have any more what this server knows of them, and only
 * another start helps, or that another process has taken its place as the one that writes views (ViewsTaken).
 */
export async function startServer(
  config: Config,
  { logger, sink }: ProcessLog,
  onStoreGone: (error: Error) => void,
): Promise<RunningServer> {
  const shutdown = new AbortController();
  // Every long poll listens to it.
  setMaxListeners(0, shutdown.signal);
  const closing: DrainStep[] = [];
  const end = (): Promise<boolean> => {
    shutdown.abort();
    return drain(closing.toReversed(), logger);
  };
  try {
    const started = await open({ config, logger, sink, shutdown: shutdown.signal, onStoreGone }, closing);
    started.metrics.addGauge('annals_log_lines_dropped', 'Lines of the log that nobody took', () => sink.dropped);
    const renewCertificate = (): void => started.tls?.renewCertificate();
    const replaceAppServices = (all: readonly AppService[]): void => started.services.replace(all);
    return { address: started.address, renewCertificate, replaceAppServices, drain: end };
  } catch (error) {
    await end();
    throw describeDamage(error, config);
  }
}

/** What a start is given. */
interface Given {
  readonly config: Config;
  readonly logger: Logger;
  readonly sink: LogSink;
  readonly shutdown: AbortSignal;
  readonly onStoreGone: (error: Error) => void;
}

/** What the projections tell of new facts. Filled once there are modules. */
interface Followers {
  readonly listeners: Listener[];
  readonly effects: Effect[];
}

interface Started {
  readonly address: string;
  readonly metrics: Metrics;
  readonly tls: TlsListener | undefined;
  readonly services: AppServices;
}

/** Opens one thing after another, and notes how to close it. */
async function open(given: Given, closing: DrainStep[]): Promise<Started> {
  const { config, logger, sink } = given;
  const followers: Followers = { listeners: [], effects: [] };
  const ports = await openPorts(given, followers, closing);
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.of(ports), openAdapter(ports), {
    abortOnError: false,
    bodyParser: false,
    logger: new NestLogger(logger),
  });
  closing.push({ name: 'modules', milliseconds: DRAIN_MS.modules, run: () => app.close() });
  for (const listener of LISTENERS) followers.listeners.push(app.get(listener, { strict: false }));
  for (const effect of ALL_EFFECTS) followers.effects.push(app.get(effect, { strict: false }));

  watchCaches(ports.metrics, app, ports.store);
  watchLimits(ports.metrics, app.get(RateLimits, { strict: false }));
  watchPeers(ports.metrics, app.get(Peers, { strict: false }), app.get(PolicyServers, { strict: false }));
  watchDestinations(ports.metrics, app.get(Destinations, { strict: false }));
  watchMail(ports.metrics, app.get(Mailer, { strict: false }));
  watchTexts(ports.metrics, app.get(Texter, { strict: false }));
  watchServices(ports.metrics, app.get(SendToServices, { strict: false }), ports.clock);

  // First: an effect that a crash left to be done begins at once, and gives commands.
  await app.init();
  await ports.projections.start().catch((error: unknown) => {
    throw error instanceof ViewsMisconfigured ? new ConfigError(error.message) : error;
  });
  freeStrayContent(app.get(KeptContent, { strict: false }), config, ports.clock, logger);
  // Before anybody is answered: whoever was erased is not to be there again.
  await app.get(ErasuresAgain, { strict: false }).compare();
  // Before the modules, whose commands they give.
  closing.push({ name: 'effects', milliseconds: DRAIN_MS.effects, run: () => ports.projections.effects.stop() });
  const control = await openControl(ports, app);
  closing.push({ name: 'control', milliseconds: DRAIN_MS.control, run: () => control.close() });

  await app.listen(config.listen.port, config.listen.host);
  const servers: Server[] = [app.getHttpServer()];
  closing.push({
    name: 'requests',
    milliseconds: DRAIN_MS.requests,
    run: () => finishRequests(app, servers, logger),
  });
  const tls = await openTlsListener(config, app);
  if (tls !== undefined) servers.push(tls.server);
  // Last: a start that fails must not have shown what is shown once.
  await showFirstToken(app.get(FirstRegistrationToken, { strict: false }), { logger, sink });
  const services = app.get(AppServices, { strict: false });
  return { address: await app.getUrl(), metrics: ports.metrics, tls, services };
}

async function openPorts(given: Given, followers: Followers, closing: DrainStep[]): Promise<Ports> {
  const { config, logger, shutdown, onStoreGone } = given;
  const clock = systemClock;
  const metrics = new Metrics();
  // An embedded log is itself kept from a second process; one on a server is not, nor are the views and keys beside it.
  if (config.eventStoreUrl !== undefined) {
    const { release } = await takeWriterLock(makeDirectory(config, ''));
    closing.push({ name: 'data folder', milliseconds: DRAIN_MS.dataFolder, run: release });
  }
  const { store: ownLog, signingKey, names } = await openOwnLog(config, clock, watchLog(logger, onStoreGone));
  const store = new MeteredEventStore(ownLog, metrics, clock);
  closing.push({ name: 'log', milliseconds: DRAIN_MS.log, run: () => store.close() });
  const readModels = await openReadModels(config, watchViews(logger, onStoreGone));
  closing.push({ name: 'views', milliseconds: DRAIN_MS.views, run: () => readModels.close() });
  const log = logger.child({ context: 'projections' });
  const projections = new ProjectionRuntime({
    store,
    readModels,
    projectors: listProjectors(),
    ...followers,
    takenBackBy: TAKEN_BACK_BY,
    effectLease: config.eventStoreUrl === undefined ? undefined : { place: placeOf(config), ...EFFECT_LEASE },
    beforeWriting: () => notePutBack(store, readModels, clock, log),
    clock,
    log,
  });
  closing.push({ name: 'projections', milliseconds: DRAIN_MS.projections, run: () => projections.stop() });
  watchProjections(metrics, store, projections);
  watchViewsStore(metrics, readModels, projections);
  watchEffects(metrics, projections.effects, clock);
  const health = { store, projections, readModels, stopwatch: clock };
  return { config, clock, logger, metrics, store, readModels, projections, signingKey, names, shutdown, health };
}

/** The data folder on this machine: no two servers run in it at once. */
function placeOf({ dataDir }: Config): string {
  return hash('sha256', JSON.stringify([hostname(), dataDir]), 'hex').slice(0, 16);
}

function closeListener(server: Server): Promise<void> {
  return new Promise((resolve, reject) => server.close((error) => (error === undefined ? resolve() : reject(error))));
}

/** Accepts nothing more and waits for the requests under way; what does not end in time is cut off. */
async function finishRequests(app: NestFastifyApplication, servers: readonly Server[], logger: Logger): Promise<void> {
  // A connection whose last request was under way when the drain began would stay open for another.
  const idle = setInterval(() => servers.forEach((server) => server.closeIdleConnections()), 50);
  const late = setTimeout(() => {
    logger.warn('requests are still under way: cutting them off');
    for (const server of servers) server.closeAllConnections();
  }, DRAIN_MS.requests - 1000);
  try {
    // The framework closes its own listener, the first; what arrives from now on is the last of its connection.
    const closed = app.getHttpAdapter().getInstance().close();
    await Promise.all([closed, ...servers.slice(1).map(closeListener)]);
  } finally {
    clearInterval(idle);
    clearTimeout(late);
  }
}
