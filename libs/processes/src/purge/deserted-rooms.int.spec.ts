import { expect, it } from 'vitest';
import { RoomPurges } from '#admin/purges/room-purges';
import type { RoomId } from '#kernel/ids';
import { DESERTED_ROOMS } from '#rooms/projections/deserted-rooms.projector';
import { Disk, MortalStores } from '#testing/mortal-stores';
import { roomPath, SyncApp } from '#testing/sync-app';

const AT_ONCE = { ANNALS_PURGE_ROOMS_AFTER: '0' };

const purgesOf = async (app: SyncApp) => [...(await app.get(RoomPurges).load()).purges.values()];

it('rooms that nobody is in are looked for once the views show all that the log has, and not by what they showed before', async () => {
  const disk = Disk.empty();
  const app = await SyncApp.start(new MortalStores(disk));
  const alice = await app.register('alice');
  const [left, gone] = [await alice.createRoom({ preset: 'public_chat' }), await alice.createRoom()];
  for (const roomId of [left, gone]) await alice.ok('POST', `${roomPath(roomId)}/leave`, {});
  await app.settled();
  await app.views.pause('deserted-rooms', 'a test');
  await alice.ok('POST', `${roomPath(left)}/join`, {});
  await app.close();

  const next = await SyncApp.start(new MortalStores(disk), AT_ONCE);
  await alice.on(next).ok('PUT', `${roomPath(left)}/send/m.room.message/1`, { msgtype: 'm.text', body: 'here' });
  expect((await DESERTED_ROOMS.scan(next.views, { prefix: [], limit: 10 })).map(({ key }) => key[1])).toContain(left);
  expect(await purgesOf(next)).toEqual([]);
  await next.views.resume('deserted-rooms');
  await expect.poll(async () => (await purgesOf(next)).map(({ room_id }) => room_id)).toEqual([gone]);
  await next.close();
}, 60_000);

it('a room that is held once its purge was ordered, and before its turn, stays', async () => {
  const app = await SyncApp.start();
  const alice = await app.register('alice');
  const roomId = (await alice.createRoom()) as RoomId;
  const purges = app.get(RoomPurges);
  await purges.order({ room_id: roomId, because: 'operator', users_leave: true }, 'server');
  // Who hears that they left is waited for meanwhile.
  await expect.poll(async () => (await alice.ok('GET', '/joined_rooms')).joined_rooms).toEqual([]);
  await purges.hold({ room_id: roomId, reason: 'a court wants it' });
  await expect.poll(async () => (await purgesOf(app))[0]?.ended, { timeout: 20_000 }).toBeDefined();
  expect((await purgesOf(app))[0]?.ended?.refused).toContain('is held: a court wants it');
  expect((await alice.call('GET', `${roomPath(roomId)}/state`)).status).toBe(200);
  await app.close();
}, 60_000);
