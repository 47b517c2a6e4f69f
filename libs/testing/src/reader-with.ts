import { LogHistory } from '#event-store/log-history';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { positionOf } from '#testing/position-of';
import type { Views } from '#projections/views';
import type { MembershipLogRow } from '#rooms/projections/membership-log';
import { findRoomReader, type RoomReader } from '#rooms/reading/room-reader';
import { MemoryReadModels } from './memory-read-models.js';

export const READER = '@reader:a.example' as UserId;
const ROOM = '!room:a.example' as RoomId;

/** A reader before a room in which their membership changed at these positions, in order. */
export async function readerWith(
  changes: readonly (readonly [position: number, membership: string])[],
  ignored: readonly UserId[] = [],
): Promise<RoomReader> {
  const store = new MemoryReadModels();
  let left: Position | undefined;
  let before: string | undefined;
  for (const [at, membership] of changes) {
    const position = positionOf(at);
    if (membership !== 'join' && before === 'join') left = position;
    const row: MembershipLogRow = { membership, left: membership === 'join' ? undefined : left };
    const value = JSON.stringify(row);
    if (membership !== before) {
      await store.write([{ collection: 'membership-log', key: [ROOM, READER, position], value }]);
    }
    before = membership;
  }
  const views: Views = {
    history: LogHistory.UNBROKEN,
    get: (collection, key) => store.get(collection, key),
    getMany: (collection, keys) => store.getMany(collection, keys),
    scan: (collection, options) => store.scan(collection, options),
    confirm: () => store.confirm(),
    position: () => positionOf(changes.at(-1)?.[0] ?? 0),
    whenProcessed: async () => {},
    whenKept: async () => {},
    whenMoved: async (from) => from,
  };
  return findRoomReader(views, ROOM, { userId: READER, ignored: new Set(ignored) });
}
