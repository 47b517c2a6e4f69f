import type { Position } from '#kernel/position';
import { ViewsUnavailable } from '#read-models/read-model-errors';
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
