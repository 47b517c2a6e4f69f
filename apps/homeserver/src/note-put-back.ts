import type { EventStore } from '#event-store/event-store';
import { noteRestored } from '#event-store/log-identity';
import type { Clock } from '#kernel/clock';
import type { ProjectionLog } from '#projections/runtime-parts';
import { readOwnedState } from '#projections/whose-views';
import type { ReadModelStore } from '#read-models/read-model-store';

/**
 * Notes in the log that it was put back to an earlier moment, where the views know more of it than it does itself: somebody
 * copied a backup into its place by hand. Else tokens of what is lost would one day pass over what takes its place.
 */
export async function notePutBack(
  store: EventStore,
  readModels: ReadModelStore,
  clock: Clock,
  log: Pick<ProjectionLog, 'warn'>,
): Promise<void> {
  const { putBackTo, foreign } = await readOwnedState(store, readModels);
  if (putBackTo === undefined) return;
  log.warn(`The log was put back to an earlier moment: the views ${foreign}`);
  // Not where the log ends: whoever wrote to it since, as a server does that was running, wrote what nobody has heard of.
  await noteRestored(store, clock, putBackTo);
}
