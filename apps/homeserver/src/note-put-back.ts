import type { EventStore } from '#event-store/event-store';
import { noteRestored } from '#event-store/log-identity';
import type { Clock } from '#kernel/clock';
import { START } from '#kernel/position';
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
  const { isLogPutBack, foreign, checkpoint } = await readOwnedState(store, readModels);
  if (!isLogPutBack) return;
  log.warn(`The log was put back to an earlier moment: the views ${foreign}`);
  const head = await store.head();
  // Where the log has grown past the views, somebody has written since, and nobody knows from where on it goes another way.
  const agreed = checkpoint !== undefined && checkpoint.position > head ? head : START;
  await noteRestored(store, clock, agreed);
}
