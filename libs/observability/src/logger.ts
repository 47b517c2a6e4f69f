import { type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino';
import type { LogLevel } from '#config/config';
import { LogSink } from './log-sink.js';

export type { Logger } from 'pino';

/** Injection token of the process's Logger. */
export const LOGGER = Symbol.for('annals.Logger');

const STANDARD_OUTPUT = 1;

/** The log of a process: what writes to it, and where its lines go. */
export interface ProcessLog {
  readonly logger: PinoLogger;
  readonly sink: LogSink;
  /** Changes the level of this logger and of those made of it, which else keep their own. */
  setLevel(level: LogLevel): void;
}

/**
 * The log of the process: JSON lines on standard output, or text for people where that is a terminal. Lines are written in
 * the background and never hold anything up (see `LogSink`): who ends the process flushes the sink first.
 */
export async function openLog(level: LogLevel): Promise<ProcessLog> {
  const sink = new LogSink(STANDARD_OUTPUT);
  // Each part of the server has one, for good: they are few.
  const loggers: PinoLogger[] = [];
  const options = {
    level,
    base: undefined,
    timestamp: stdTimeFunctions.isoTime,
    onChild: (child: PinoLogger) => void loggers.push(child),
  };
  const logger = pino(options, process.stdout.isTTY ? await forPeople(sink) : sink);
  loggers.push(logger);
  const setLevel = (next: LogLevel): void => loggers.forEach((each) => void (each.level = next));
  return { logger, sink, setLevel };
}

async function forPeople(sink: LogSink): Promise<{ write(line: string): void }> {
  // Loaded only here: a server started by another program does not need it.
  const { prettyFactory } = await import('pino-pretty');
  const options = { translateTime: 'SYS:HH:MM:ss', ignore: 'context', messageFormat: '{msg}', colorize: true };
  const pretty = prettyFactory(options);
  return { write: (line) => sink.write(pretty(line)) };
}

/** A logger alone, for who does not end the process. */
export async function createLogger(level: LogLevel): Promise<PinoLogger> {
  return (await openLog(level)).logger;
}
