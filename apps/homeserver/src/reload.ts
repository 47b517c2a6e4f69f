import { readRegistrations } from '#config/appservices/read-registrations';
import type { Config } from '#config/config';
import { ConfigError } from '#config/config-error';
import { readConfig } from '#config/read-config';
import type { ProcessLog } from '#observability/logger';
import { messageOf } from '#kernel/message-of';
import { reloading, type Supervisor } from './notify-supervisor.js';
import type { RunningServer } from './server.js';

/**
 * Rereads what can be reread while the server runs: the configuration for its log level and for the registration files of application
 * services, those files, and the certificate with its key.
 * The environment cannot change, and wins: what it sets stays. What is wrong is logged, and the server goes on with what it
 * has; the other settings wait for the next start, and a line names those that differ.
 */
export function reload(
  running: Config,
  { logger, setLevel }: ProcessLog,
  server: RunningServer,
  supervisor: Supervisor,
): void {
  supervisor.tell(...reloading());
  try {
    const config = readConfig();
    // Whatever is wrong in one of them, nothing of them is taken.
    const services = readRegistrations({ appservices: config.appservices, serverName: running.serverName });
    setLevel(config.log);
    server.replaceAppServices(services);
    server.renewCertificate();
    const waiting = settingsThatWait(running, config);
    logger.info({ waiting }, waiting.length === 0 ? 'reloaded' : 'reloaded; what waits for the next start is named');
  } catch (error) {
    const reason = messageOf(error);
    logger.error(error instanceof ConfigError ? {} : { err: error }, `not reloaded: ${reason}`);
  } finally {
    supervisor.tell('READY=1');
  }
}

const REREAD: ReadonlySet<keyof Config> = new Set(['log', 'appservices'] as const);

/** Settings that a reload does not change. Their names alone: values may be secrets. */
function settingsThatWait(running: Config, config: Config): string[] {
  const entries = Object.entries(config) as [keyof Config, unknown][];
  return entries
    .filter(([name, value]) => !REREAD.has(name) && JSON.stringify(value) !== JSON.stringify(running[name]))
    .map(([name]) => name);
}
