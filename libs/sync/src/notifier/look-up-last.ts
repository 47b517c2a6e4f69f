import type { RoomId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Collection } from '#projections/collection';
import type { Views } from '#projections/views';
import type { LastTouched } from './last-touched.js';

/**
 * Whether anything happened in a room after a position, by a collection whose keys begin with room and position. It is looked up only where nothing is
 * remembered, and is remembered then.
 */
export async function lookUpLast<V>(
  views: Views,
  collection: Collection<readonly [roomId: RoomId, position: Position, ...string[]], V>,
  touched: LastTouched,
  roomId: RoomId,
  after: Position,
): Promise<boolean> {
  const known = touched.hasHappenedSince(roomId, after);
  if (known !== undefined) return known;
  const passed = views.position([collection.name]);
  const [last] = await collection.scan(views, { prefix: [roomId], reverse: true, limit: 1 });
  const position = last?.key[1] ?? START;
  touched.learn(roomId, position, passed);
  return position > after;
}
