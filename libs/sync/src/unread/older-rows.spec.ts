import { expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
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
