import type { RoomId } from '#kernel/ids';

/** What is of rooms that this process has in the order in which it heard of them, in one that a restart keeps; of one room as it was. */
export function inOrderOfIds<T>(ofRooms: Iterable<readonly [RoomId, T]>): (readonly [RoomId, T])[] {
  return [...ofRooms].toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)));
}
