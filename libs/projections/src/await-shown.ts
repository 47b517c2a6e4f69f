import type { EventStore } from '#event-store/event-store';
import { type Position, START } from '#kernel/position';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import type { Key } from '#read-models/read-model-store';
import type { Collection } from './collection.js';
import type { Views } from './views.js';

/**
 * Settles once a collection shows what the log had at a position: for who decides upon its rows, which would be a guess where they lag. Throws
 * ViewsUnavailable, saying that they do not show `what`, where they do not get there.
 */
export async function awaitShown(
  views: Pick<Views, 'whenProcessed' | 'position'>,
  collection: string,
  position: Position,
  what: string,
): Promise<void> {
  await views.whenProcessed(position, [collection]);
  if (views.position([collection]) < position) throw new ViewsUnavailable(`the views do not show ${what} as it is now`);
}

/**
 * The value of a row by all that the log has now; undefined where there is none. For who decides something that cannot be taken back by who has what, or by nobody
 * having it. Throws as `awaitShown`.
 */
export async function getShown<K extends Key, V>(
  views: Pick<Views, 'whenProcessed' | 'position' | 'get' | 'confirm'>,
  log: Pick<EventStore, 'head'>,
  collection: Collection<K, V>,
  key: K,
): Promise<V | undefined> {
  await awaitShown(views, collection.name, await log.head(), collection.name);
  const value = await collection.get(views, key);
  await views.confirm();
  return value;
}

/**
 * Settles once collections show all that the log has now, however long that takes: for who looks at a start what time has come for. What is
 * filled anew shows the past until then. Rejects where the projections are stopped.
 */
export async function whenShown(
  views: Pick<Views, 'whenMoved'>,
  collections: readonly string[],
  log: Pick<EventStore, 'head'>,
): Promise<void> {
  const end = await log.head();
  for (let shown = START; shown < end;) shown = await views.whenMoved(shown, collections);
}
