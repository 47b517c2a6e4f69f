import { setTimeout } from 'node:timers/promises';
import type { Config } from '#config/config';
import { ConfigError } from '#config/config-error';
import { isBug } from '#kernel/is-bug';
import { messageOf } from '#kernel/message-of';
import type { Logger, ProcessLog } from '#observability/logger';
import { Supervisor } from './notify-supervisor.js';
import { reload } from './reload.js';
import { type RunningServer, startServer } from './server.js';
import { trimHeapSoon } from './trim-heap.js';
import { FIRST_ACCOUNT } from './welcome-page.js';

/** The most that the last lines of the log may take when the process ends. */
const LAST_LINES_MS = 1000;
/** How long a start that has begun may go on, so that it ends as a server that runs does. */
const LAST_STEPS_MS = 3000;

/**
 * Runs the server until a signal ends it: 0 after a clean drain, 1 otherwise. A second signal does not wait. A store that has
 * lost what this process knows of it ends it too, and a bug that nobody caught: what was acknowledged is in the log, and the
 * next start goes on from there. SIGHUP rereads what can be reread (`reload.ts`). A supervisor that asks for it is told of each
 * step (`notify-supervisor.ts`).
 */
export async function runServer(config: Config, log: ProcessLog): Promise<void> {
  const { logger, sink } = log;
  const supervisor = new Supervisor(logger);
  let server: RunningServer | undefined;
  let starting: Promise<unknown> = Promise.resolve();
  const exit = async (code: number): Promise<void> => {
    await sink.flush(LAST_LINES_MS);
    process.exit(code);
  };
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'a bug');
    void exit(1);
  });
  process.on('unhandledRejection', (reason) =>
    logger.error({ err: reason }, 'a promise was rejected and nobody cared'),
  );
  let isStopping = false;
  const stop = async (code: number): Promise<void> => {
    isStopping = true;
    supervisor.tell('STOPPING=1');
    // Node ends a process only once its threads have ended, and one that just writes for the embedded stores may wait for this one.
    await Promise.race([starting.catch(() => {}), setTimeout(LAST_STEPS_MS)]);
    // Where it still starts there is nothing to finish: what is in the stores stands as it would after a crash.
    const isClean = server === undefined || (await server.drain());
    logger.info({ isClean }, 'ended');
    await exit(isClean ? code : code || 1);
  };
  onSignal(async (signal) => {
    if (isStopping) return;
    logger.info({ signal }, 'draining');
    await stop(0);
  });
  const onStoreGone = (error: Error): void => {
    if (isStopping) return;
    logger.fatal(`${error.message}: ending, for the next start goes on with what there is`);
    void stop(1);
  };
  // While it starts, what could be reread is only just being read.
  process.on('SIGHUP', () => {
    if (server !== undefined) reload(config, log, server, supervisor);
  });
  try {
    const started = startServer(config, log, onStoreGone);
    starting = started.then((running) => (server = running));
    await starting;
  } catch (error) {
    // Told by whoever asked for the server, in one line.
    if (error instanceof ConfigError) throw error;
    const reason = messageOf(error);
    logger.fatal(isBug(error) ? { err: error } : {}, `cannot start: ${reason}`);
    return exit(1);
  }
  if (isStopping || server === undefined) return;
  announce(config, logger, server);
  supervisor.tell('READY=1');
  trimHeapSoon();
}

/** Calls `stop` at the first signal; the second ends the process at once. */
function onSignal(stop: (signal: string) => Promise<void>): void {
  let isStopping = false;
  const receive = (signal: string): void => {
    // Not by an exit, which waits for what the stores just write.
    if (isStopping) process.kill(process.pid, 'SIGKILL');
    isStopping = true;
    void stop(signal);
  };
  for (const signal of ['SIGTERM', 'SIGINT']) {
    // Until here it ended the start at once (`start.mjs`).
    process.removeAllListeners(signal);
    process.on(signal, receive);
  }
}

/** Tells the operator where the server is and how people get an account. */
function announce(
  { serverName, publicUrl, registration, isHomeserver }: Config,
  logger: Logger,
  { address }: RunningServer,
): void {
  logger.info(
    { serverName, publicUrl, address },
    `${serverName} listens on ${address}; open ${publicUrl}/ in a browser`,
  );
  if (isHomeserver) logger.info(FIRST_ACCOUNT[registration]);
}
