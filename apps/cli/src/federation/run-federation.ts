import type { EventStore } from '#event-store/event-store';
import { Discovery, type ResolveSrv, systemResolveSrv } from '#federation/discovery/discovery';
import { FederatedServers } from '#federation/peers/federated-servers';
import { connectorOptionsOf } from '#http/outgoing/connector-options';
import { Outgoing } from '#http/outgoing/outgoing';
import { systemClock } from '#kernel/clock';
import { type EventId, isEventId, isServerName, type ServerName } from '#kernel/ids';
import { messageOf } from '#kernel/message-of';
import { findRoom } from '../audit/find-room.js';
import { type Check, checkLine, fail, type Level, ok } from '../doctor/check.js';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { counted } from '../terminal/units.js';
import { checkCertificates, checkKeys, checkVersion, type FoundPeer } from './peer-checks.js';
import { explainChecks } from './event-checks.js';
import { checkRefusals } from './refusal-checks.js';
import { checkRunning } from './running-checks.js';

export interface RunFederationOptions {
  readonly json: boolean;
  /** Of an event: the room in which it is looked for; else all are. */
  readonly room?: string;
  /** For tests; the system's otherwise. */
  readonly resolveSrv?: ResolveSrv;
}

/**
 * Says how this server speaks to another, or others to this one where it is named: whether it may, how the other is found, step by
 * step, what certificate it shows, what it runs and with which keys it signs, whether the running server leaves it alone, and what was
 * refused of it lately. Of an event id it says what became of that event. Exit code 1 where something fails. Throws CliFailure where the
 * name is none.
 */
export async function runFederation(
  installation: Installation,
  terminal: Terminal,
  name: string | undefined,
  { json, room, resolveSrv = systemResolveSrv }: RunFederationOptions,
): Promise<ExitCode> {
  const server = name ?? installation.config.serverName;
  if (!isEventId(server) && !isServerName(server))
    throw new CliFailure(`${server} is not the name of a server, nor the id of an event`);
  const checks = isEventId(server) ? explain(installation, server, room) : examine(installation, server, resolveSrv);
  const levels: Record<Level, number> = { ok: 0, warn: 0, fail: 0 };
  for await (const check of checks) {
    levels[check.level]++;
    await terminal.line(json ? JSON.stringify(check) : checkLine(check));
  }
  if (!json)
    await terminal.line(`${levels.ok} ok, ${counted(levels.warn, 'warning')}, ${counted(levels.fail, 'failure')}`);
  return levels.fail === 0 ? EXIT.ok : EXIT.found;
}

async function* explain(
  installation: Installation,
  eventId: EventId,
  room: string | undefined,
): AsyncGenerator<Check, void> {
  const store = await installation.openLogToRead();
  try {
    yield* await explainChecks(store, eventId, room === undefined ? undefined : await findRoom(store, room));
  } finally {
    await store.close();
  }
}

async function* examine(
  installation: Installation,
  server: ServerName,
  resolveSrv: ResolveSrv,
): AsyncGenerator<Check, void> {
  const { config } = installation;
  yield checkSettings(installation, server);
  const options = connectorOptionsOf(config);
  const outgoing = new Outgoing(options);
  try {
    const { steps, found } = await new Discovery(outgoing, systemClock, resolveSrv).discover(server);
    for (const { step, outcome } of steps.slice(0, found === undefined ? -1 : undefined)) {
      yield ok(`discovery ${step}`, outcome);
    }
    if (found === undefined) yield notFound(steps.at(-1));
    else yield* lookAt({ server, found, outgoing }, options);
  } finally {
    await outgoing.onModuleDestroy();
  }
  if (server === config.serverName) return;
  yield* await checkRunning(installation, server);
  yield* await lookIntoLog(installation, server);
}

/** What the log knows of a server; nothing where there is no log here, for all before that can be asked from elsewhere too. */
async function lookIntoLog(installation: Installation, server: ServerName): Promise<Check[]> {
  let store: EventStore;
  try {
    store = await installation.openLogToRead();
  } catch (error) {
    if (error instanceof CliFailure && error.exitCode !== EXIT.config) return [ok('refused', messageOf(error))];
    throw error;
  }
  try {
    return await checkRefusals(store, server);
  } finally {
    await store.close();
  }
}

async function* lookAt(peer: FoundPeer, options: ReturnType<typeof connectorOptionsOf>): AsyncGenerator<Check, void> {
  const certificates = await checkCertificates(peer, options);
  yield* certificates;
  if (certificates.every(({ level }) => level === 'fail')) return;
  yield await checkVersion(peer);
  yield await checkKeys(peer);
}

function checkSettings({ config }: Installation, server: ServerName): Check {
  if (!config.federation) return fail('settings', 'federation is off', 'set ANNALS_FEDERATION=on to speak to others');
  if (server === config.serverName) return ok('settings', `${server} is this server: as others see it`);
  if (new FederatedServers(config).allows(server)) return ok('settings', `this server speaks to ${server}`);
  return fail(
    'settings',
    `this server does not speak to ${server}`,
    'see ANNALS_FEDERATION_ALLOW and ANNALS_FEDERATION_DENY',
  );
}

function notFound(last: { readonly step: string; readonly outcome: string } | undefined): Check {
  const advice = 'nothing can be sent there: see that the name is right, or tell who looks after that server';
  return fail(`discovery ${last?.step ?? ''}`, last?.outcome ?? 'not found', advice);
}
