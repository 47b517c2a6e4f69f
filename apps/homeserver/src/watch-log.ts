import type { Logger } from '#observability/logger';
import type { LogWatch } from './infrastructure.js';

/** One line when the log on a server is not there, one when it is lost, one when it is back. */
export function watchLog(logger: Logger): LogWatch {
  return {
    onWaiting: (reason) => logger.warn(`waiting for the log: ${reason}`),
    onLost: (reason) =>
      logger.error(`the log is lost: ${reason}; requests that need it are answered 503 until it is back`),
    onBack: (lostMs) => logger.info({ lostMs }, 'the log is back'),
  };
}
