import type { LoggerService } from '@nestjs/common';
import type { Logger } from 'pino';

/** What Nest tells while it wires things together: of use only when the wiring is wrong. */
const WIRING = new Set(['InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestFactory', 'NestApplication']);

/** Takes what Nest's `Logger` is told into the log. An object in the place of the message becomes fields of the line. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...rest: unknown[]): void {
    const { fields, text } = lineOf(message, rest);
    if (WIRING.has(fields.context as string)) this.logger.debug(fields, text);
    else this.logger.info(fields, text);
  }

  error(message: unknown, ...rest: unknown[]): void {
    const { fields, text } = lineOf(message, rest);
    // What it could not do it throws as well, to whoever tells it.
    if (WIRING.has(fields.context as string)) this.logger.debug(fields, text);
    else this.logger.error(fields, text);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    const { fields, text } = lineOf(message, rest);
    this.logger.warn(fields, text);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    const { fields, text } = lineOf(message, rest);
    this.logger.debug(fields, text);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    const { fields, text } = lineOf(message, rest);
    this.logger.trace(fields, text);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    const { fields, text } = lineOf(message, rest);
    this.logger.fatal(fields, text);
  }
}

/** Nest appends the context last; between it and the message stand a text, a stack or nothing. */
function lineOf(message: unknown, rest: readonly unknown[]): { fields: Record<string, unknown>; text: string } {
  const texts = rest.filter((part): part is string => typeof part === 'string');
  const context = texts.at(-1);
  const detail = texts.slice(0, -1).join(' ');
  if (message instanceof Error)
    return {
      fields: { context, err: message },
      text: detail || message.message,
    };
  if (typeof message === 'object' && message !== null) return { fields: { context, ...message }, text: detail };
  return {
    fields: detail === '' ? { context } : { context, detail },
    text: String(message),
  };
}
