import { expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import { timelineRowOf } from '#rooms/projections/make-row';
import { positionOf } from '#testing/position-of';
import { SharedRows } from '../parts/recent-rows.js';
import { OlderRows } from './older-rows.js';

it('what is further back in a room is read once for all who look, until the timelines have come further', async () => {
  let scans = 0;
  let position = START;
  const scan = async (): Promise<[]> => {
    scans++;
    return [];
  };
  const views = { scan, position: () => position } as unknown as Views; // all that is asked of them
  const older = new OlderRows(views);
  const look = async (roomId: string): Promise<void> => {
    for await (const row of older.backwards(roomId as RoomId, '9' as Position)) expect(row).toBeUndefined();
  };
  await Promise.all([look('!a'), look('!a')]);
  await look('!a');
  expect(scans).toBe(1);
  await look('!b');
  expect(scans).toBe(2);
  position = '1' as Position;
  await look('!a');
  expect(scans).toBe(3);
});

it('long rows are kept of few rooms, of however many they were read', async () => {
  const pdu = { type: 'm.room.message', sender: '@bob:x', content: { body: 'x'.repeat(1_000_000) } };
  const [position, room] = [positionOf(1), { visibility: 'shared', room_version: '12', lenient: false }];
  const value = timelineRowOf({
    event_id: '$1' as EventId,
    position,
    pdu: { ...pdu, origin_server_ts: 0, depth: 0 },
    ...room,
  } as Parameters<typeof timelineRowOf>[0]);
  const scan = async (): Promise<object[]> => Array.from({ length: 10 }, () => ({ key: ['!r', position], value }));
  const views = { scan, position: () => START } as unknown as Views; // all that is asked of them
  const [older, recent] = [new OlderRows(views), new SharedRows(views)];
  for (let i = 0; i < 8; i++) {
    const roomId = `!${i}` as RoomId;
    for await (const row of older.backwards(roomId, '9' as Position)) expect(row.content.length).toBeGreaterThan(1e6);
    expect(await recent.open(roomId, position, 10, START).at(0)).toBeDefined();
  }
  expect([older.numbers.size, recent.numbers.size]).toEqual([3, 3]);
});
