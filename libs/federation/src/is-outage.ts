import { EventStoreUnavailable } from '#event-store/event-store-errors';
import { ViewsUnavailable } from '#read-models/read-model-errors';

/** Whether the log or the views are away: what was to be done is to be tried again. It is told once, by who watches them. */
export function isOutage(error: unknown): boolean {
  return error instanceof EventStoreUnavailable || error instanceof ViewsUnavailable;
}
