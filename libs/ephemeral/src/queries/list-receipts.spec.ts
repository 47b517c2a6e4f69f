import { describe, expect, it } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import type { Write } from '#read-models/read-model-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { listReceipts } from './list-receipts.js';

const room = '!r:a.example' as RoomId;
const alice = '@alice:a.example' as UserId;

describe('receipts that changed', () => {
  it('are told once, also where a crash has kept the row of an earlier change', async () => {
    const views = new MemoryReadModels();
    const change = JSON.stringify([alice, 'm.read', '']);
    await views.write([
      { collection: 'receipts-log', key: [room, positionOf(5)], value: change },
      { collection: 'receipts-log', key: [room, positionOf(7)], value: change },
      {
        collection: 'receipts',
        key: [room, alice, 'm.read', ''],
        value: JSON.stringify({ event_id: '$2', ts: 1, pos: positionOf(7) }),
      },
    ]);
    const reader = { userId: alice, ignored: new Set<UserId>() };
    const list = (upTo: number) => listReceipts(views, room, { reader, after: positionOf(3), upTo: positionOf(upTo) });
    expect(await list(9)).toMatchObject([{ event_id: '$2', pos: positionOf(7) }]);
    expect(await list(6)).toEqual([]);
  });

  it.each([undefined, positionOf(1)])('are the newest where there are too many to tell, after %s', async (after) => {
    const views = new MemoryReadModels();
    const writes: Write[] = [];
    const last = 10_500;
    for (let i = 2; i <= last; i++) {
      // The names run against the order of the receipts.
      const userId = `@u${99_999 - i}:a.example`;
      const receipt = { event_id: '$e', ts: 1, pos: positionOf(i) };
      const change = JSON.stringify([userId, 'm.read', '']);
      writes.push({ collection: 'receipts-log', key: [room, positionOf(i)], value: change });
      writes.push({ collection: 'receipts', key: [room, userId, 'm.read', ''], value: JSON.stringify(receipt) });
    }
    await views.write(writes);
    const reader = { userId: alice, ignored: new Set<UserId>() };
    const told = await listReceipts(views, room, { reader, after, upTo: positionOf(last - 1) });
    expect(told).toHaveLength(10_000);
    expect(told.at(-1)?.pos).toBe(positionOf(last - 1));
  });
});
