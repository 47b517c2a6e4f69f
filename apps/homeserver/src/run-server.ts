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

  const server = await startServer(config, logger).catch((error: unknown) => {
    logger.fatal({ err: error }, `cannot start: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  });
  if (server === undefined) return exit(1);
  announce(config, logger, server);
  trimHeapSoon();

  let draining = false;
  const stop = (signal: string): void => {
    if (draining) exit(1);
    draining = true;
    logger.info({ signal }, 'draining');
    void server.drain().then((isClean) => {
      logger.info({ isClean }, 'ended');
      exit(isClean ? 0 : 1);
    });
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/** Tells the operator where the server is and how people get an account. */
function announce({ serverName, publicUrl, registration }: Config, logger: Logger, { address }: RunningServer): void {
  logger.info(
    { serverName, publicUrl, address },
    `${serverName} listens on ${address}; open ${publicUrl}/ in a browser`,
  );
  logger.info(FIRST_ACCOUNT[registration]);
}
