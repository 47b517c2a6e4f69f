import type { Logger } from '#observability/logger';
import type { LogWatch, ViewsWatch } from './infrastructure.js';

/**
 * One line when the log on a server is not there, one when it is lost, one when it is back; one when it is found damaged.
 * `onPutBack`: told where it was put back to an earlier moment.
 */
export function watchLog(logger: Logger, onPutBack: (error: Error) => void): LogWatch {
  return {
    onWaiting: (reason) => logger.warn(`waiting for the log: ${reason}`),
    onLost: (reason) =>
      logger.error(`the log is lost: ${reason}; requests that need it are answered 503 until it is back`),
    onDamage: ({ message }) =>
      logger.error(
        `${message}; requests that need it are answered 503: "annals verify" tells what else is damaged, and "annals restore" puts a backup in its place`,
      ),
    onPutBack,
    onHeldTooLong: (message) => logger.warn(message),
    onBack: (lostMs) => logger.info({ lostMs }, 'the log is back'),
  };
}

/**
 * One line when the database of the views is not there, one when the views are lost and one when they are back; one when embedded
 * views were thrown away. `onGone`: told where they are no longer what was written to them.
 */
export function watchViews(logger: Logger, onGone: (error: Error) => void): ViewsWatch {
  return {
    onWaiting: (reason) => logger.warn(`waiting for the views: ${reason}`),
    onLost: (reason) =>
      logger.error(
        `the views are lost: ${reason}; what is sent is kept in the log, and what cannot be read is answered 503 until they are back`,
      ),
    onBack: (lostMs) => logger.info({ lostMs }, 'the views are back'),
    onGone,
    onThrownAway: (message) => logger.warn(message),
    onHeldTooLong: (message) => logger.warn(message),
  };
}
