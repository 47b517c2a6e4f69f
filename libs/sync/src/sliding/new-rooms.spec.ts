import { expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { MOST_TOLD_BYTES } from './device-connections.js';
import { NewRooms } from './new-rooms.js';
import { toldDataOf } from './told-state.js';
import { WantedState } from './wanted-state.js';

it.each([
  ['short', 20],
  ['the longest there are', 255],
])('rooms that are new to a client are told as far as one fact can hold them: with ids that are %s', (_, length) => {
  const told = { upTo: undefined, state: WantedState.NOTHING, limit: 1_000, marks: 15 };
  const rooms = new NewRooms();
  const all = new Map<RoomId, typeof told>();
  while (!rooms.areTooMany) {
    const roomId = `!${String(all.size).padStart(length - 1, 'x')}` as RoomId;
    rooms.add(roomId);
    all.set(roomId, told);
  }
  const bytes = Buffer.byteLength(JSON.stringify(toldDataOf({ rooms: all, extensions: new Map() })));
  expect(bytes).toBeLessThan(MOST_TOLD_BYTES);
  expect(bytes).toBeGreaterThan(MOST_TOLD_BYTES / 2);
});
