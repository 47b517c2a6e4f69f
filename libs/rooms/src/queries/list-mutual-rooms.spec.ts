import { expect, it } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import type { Views } from '#projections/views';
import { MemoryReadModels } from '#testing/memory-read-models';
import { USER_ROOMS } from '../projections/membership.projector.js';
import { listMutualRooms } from './list-mutual-rooms.js';

const [ALICE, BOB] = ['@alice:a.example', '@bob:a.example'] as UserId[];

it('very many mutual rooms come in pages, and each once', async () => {
  const store = new MemoryReadModels();
  const rooms = Array.from({ length: 2_500 }, (_, n) => `!${n}:a.example` as RoomId);
  await store.write(
    [ALICE!, BOB!].flatMap((userId) =>
      rooms.map((roomId) => {
        const row = {
          membership: 'join',
          event_id: '$e',
          pos: START,
          sender: userId,
        } as never;
        return {
          collection: USER_ROOMS.name,
          key: [userId, roomId],
          value: USER_ROOMS.codec.encode(row),
        };
      }),
    ),
  );
  const told: RoomId[] = [];
  let after: RoomId | undefined;
  do {
    const page = await listMutualRooms(store as unknown as Views, ALICE!, BOB!, after);
    expect([page.count, page.joined.length <= 1_000]).toEqual([2_500, true]);
    told.push(...page.joined);
    after = page.last;
  } while (after !== undefined);
  expect(told).toEqual(rooms.toSorted());
});
