import { expect, it } from 'vitest';
import { RoomPurges } from '#admin/purges/room-purges';
import type { RoomId } from '#kernel/ids';
import { ROWS_A_STEP } from '#rooms/projections/purged-rows';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';
import { roomPath, SyncApp } from '#testing/sync-app';
import { PurgedRooms } from './purged-rooms.effect.js';

it('a large room goes in steps, each of which takes away no more than holds anybody up', async () => {
  const app = await SyncApp.start();
  const alice = await app.register('alice');
  const roomId = (await alice.createRoom({ preset: 'public_chat' })) as RoomId;
  const other = await alice.createRoom({ preset: 'public_chat' });
  for (let hundred = 0; hundred < (2.2 * ROWS_A_STEP) / 100; hundred++) {
    const some = Array.from({ length: 100 }, (_, n) => hundred * 100 + n);
    await Promise.all(
      some.map((n) =>
        alice.ok('PUT', `${roomPath(roomId)}/send/m.room.message/${n}`, { msgtype: 'm.text', body: `word${n} more` }),
      ),
    );
  }
  await alice.ok('POST', `${roomPath(roomId)}/leave`, {});
  const steps: number[] = [];
  const effect = app.get(PurgedRooms);
  const run = effect.run.bind(effect);
  effect.run = async (fact) => {
    steps.push((await TIMELINE.scan(app.views, { prefix: [roomId], limit: 10 * ROWS_A_STEP })).length);
    return run(fact);
  };
  await app.get(RoomPurges).order({ room_id: roomId, because: 'operator' }, 'server');
  await expect.poll(async () => [...(await app.get(RoomPurges).load()).purges.values()][0]?.ended).toBeDefined();
  await app.settled();
  expect(steps.at(-1)).toBe(0);
  const taken = steps.slice(1).map((left, i) => steps[i]! - left);
  expect(Math.max(...taken)).toBe(ROWS_A_STEP);
  expect(steps.length).toBeGreaterThan(3);
  expect((await app.factsOf(`room-${roomId}`)).map(({ type }) => type)).toEqual(['room-purged']);
  expect((await alice.call('GET', `${roomPath(other)}/state`)).status).toBe(200);
  const projections = (await app.views.operations.list()).map(({ name }) => name);
  await expectSameRowsRebuilt(app, projections);
  await app.close();
}, 120_000);
