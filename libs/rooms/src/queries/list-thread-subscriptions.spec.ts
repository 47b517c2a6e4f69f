import { expect, it } from 'vitest';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { USER_ROOMS } from '../projections/membership.projector.js';
import { THREAD_SUBSCRIPTIONS, THREAD_SUBSCRIPTIONS_LOG } from '../projections/thread-subscriptions.projector.js';
import { listThreadSubscriptions } from './list-thread-subscriptions.js';

const BOB = '@bob:a.example' as UserId;
const [PUB, HOME] = ['!pub:a.example', '!home:a.example'] as [RoomId, RoomId];

it('threads are told where they changed last, and of rooms that somebody is in now, whatever rows a crash has left', async () => {
  const store = new MemoryReadModels();
  const subscribed = (roomId: RoomId, root: string, at: number, noted: readonly number[]): Promise<void> =>
    store.write([
      {
        collection: THREAD_SUBSCRIPTIONS.name,
        key: [BOB, roomId, root],
        value: THREAD_SUBSCRIPTIONS.codec.encode({ subscribed: 'manual', stamp: at, pos: positionOf(at) }),
      },
      ...noted.map((n) => ({
        collection: THREAD_SUBSCRIPTIONS_LOG.name,
        key: [BOB, positionOf(n), root],
        value: THREAD_SUBSCRIPTIONS_LOG.codec.encode([roomId, root as EventId]),
      })),
    ]);
  const isNow = (roomId: RoomId, membership: string): Promise<void> => {
    const row = { membership, event_id: '$e' as EventId, pos: positionOf(1), sender: BOB };
    return store.write([{ collection: USER_ROOMS.name, key: [BOB, roomId], value: USER_ROOMS.codec.encode(row) }]);
  };
  await isNow(PUB, 'join');
  await isNow(HOME, 'leave');
  await subscribed(PUB, '$twice', 5, [2, 5]);
  await subscribed(PUB, '$once', 3, [3]);
  await subscribed(HOME, '$left', 4, [4]);
  const { threads } = await listThreadSubscriptions(store as unknown as Views, BOB, { limit: 9 });
  expect(threads.map(({ root, stamp }) => [root, stamp])).toEqual([
    ['$twice', 5],
    ['$once', 3],
  ]);
});
