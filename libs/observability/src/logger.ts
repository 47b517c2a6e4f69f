import { type Logger, destination, pino, stdTimeFunctions } from 'pino';
import type { LogLevel } from '#config/config';

export type { Logger } from 'pino';

/** Injection token of the process's Logger. */
export const LOGGER = Symbol.for('annals.Logger');

/**
 * The logger of the process: JSON lines on standard output, or text for people where that is a terminal. Lines are written in
 * the background; what is left goes out when the process exits.
 */
export async function createLogger(level: LogLevel): Promise<Logger> {
  const options = { level, base: undefined, timestamp: stdTimeFunctions.isoTime };
  if (!process.stdout.isTTY) return pino(options, destination({ dest: 1, sync: false }));
  // Only people need it: a server started by another program does not load it.
  const { PinoPretty } = await import('pino-pretty');
  return pino(
    options,
    PinoPretty({ translateTime: 'SYS:HH:MM:ss', ignore: 'context', messageFormat: '{msg}', sync: true }),
  );
}
