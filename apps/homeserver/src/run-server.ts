import type { Config } from '#config/config';
import type { Logger } from '#observability/logger';
import { type RunningServer, startServer } from './server.js';
import { trimHeapSoon } from './trim-heap.js';
import { FIRST_ACCOUNT } from './welcome-page.js';

/**
 * Runs the server until a signal ends it: 0 after a clean drain, 1 otherwise. A second signal does not wait. A bug that
 * nobody caught ends the process too: what was acknowledged is in the log, and the next start goes on from there.
 */
export async function runServer(config: Config, logger: Logger): Promise<void> {
  let server: RunningServer | undefined;
  const exit = (code: number): void => {
    logger.flush();
    process.exit(code);
  };
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'a bug');
    exit(1);
  });
  process.on('unhandledRejection', (reason) =>
    logger.error({ err: reason }, 'a promise was rejected and nobody cared'),
  );
  onSignal(async (signal) => {
    logger.info({ signal }, 'draining');
    // While it starts there is nothing to finish: what is in the stores stands as it would after a crash.
    const isClean = server === undefined || (await server.drain());
    logger.info({ isClean }, 'ended');
    exit(isClean ? 0 : 1);
  });
  try {
    server = await startServer(config, logger);
  } catch (error) {
    logger.fatal({ err: error }, `cannot start: ${error instanceof Error ? error.message : String(error)}`);
    return exit(1);
  }
  announce(config, logger, server);
  trimHeapSoon();
}

/** Calls `stop` at the first signal; the second ends the process at once. */
function onSignal(stop: (signal: string) => Promise<void>): void {
  let isStopping = false;
  const receive = (signal: string): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    void stop(signal);
  };
  process.on('SIGTERM', receive);
  process.on('SIGINT', receive);
}

/** Tells the operator where the server is and how people get an account. */
function announce({ serverName, publicUrl, registration }: Config, logger: Logger, { address }: RunningServer): void {
  logger.info(
    { serverName, publicUrl, address },
    `${serverName} listens on ${address}; open ${publicUrl}/ in a browser`,
  );
  logger.info(FIRST_ACCOUNT[registration]);
}
