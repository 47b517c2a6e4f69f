import { EventStoreUnavailable } from '#event-store/event-store-errors';
import type { Logger } from '#observability/logger';
import { ViewsUnavailable } from '#read-models/read-model-errors';

/** Whether the log or the views are away: what was to be done is to be tried again. It is told once, by who watches them. */
export function isOutage(error: unknown): boolean {
  return error instanceof EventStoreUnavailable || error instanceof ViewsUnavailable;
}

/** Tells what went wrong by a mistake of ours, where what was to be done may be lost while the log or the views are away. */
export function tellUnlessOutage(logger: Pick<Logger, 'error'>, error: unknown, what: string): void {
  if (!isOutage(error)) logger.error({ err: error }, what);
}
