import type { RoomId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import type { LastTouched } from './last-touched.js';

/** A collection whose keys begin with room and position. */
interface InPlaces {
  readonly name: string;
  scan(
    views: Pick<Views, 'scan'>,
    range: { readonly prefix: readonly [RoomId]; readonly reverse: true; readonly limit: 1 },
  ): Promise<readonly { readonly key: readonly [RoomId, Position, ...string[]] }[]>;
}

/**
 * Whether anything happened in a room after a position, by what stands last in some collections. It is looked up only where
 * nothing is remembered, and is remembered then.
 */
export async function lookUpLast(
  views: Views,
  collections: readonly InPlaces[],
  touched: LastTouched,
  roomId: RoomId,
  after: Position,
): Promise<boolean> {
  const known = touched.hasHappenedSince(roomId, after);
  if (known !== undefined) return known;
  const passed = views.position(collections.map(({ name }) => name));
  let position = START;
  for (const collection of collections) {
    const [last] = await collection.scan(views, { prefix: [roomId], reverse: true, limit: 1 });
    if (last !== undefined && last.key[1] > position) position = last.key[1];
  }
  touched.learn(roomId, position, passed);
  return position > after;
}
