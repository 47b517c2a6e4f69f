import { expect, it } from 'vitest';
import { RoomPurges } from '#admin/purges/room-purges';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { MembershipsElsewhere } from '#rooms/commands/memberships-elsewhere';
import type { MembershipTold } from '#rooms/facts/elsewhere-facts';
import { DESERTED_ROOMS } from '#rooms/projections/deserted-rooms.projector';
import { OTHER_SERVER } from '#testing/forked-room';
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
  await app.views.operations.pause('deserted-rooms', 'a test');
  await alice.ok('POST', `${roomPath(left)}/join`, {});
  await app.close();

  const next = await SyncApp.start(new MortalStores(disk), AT_ONCE);
  await alice.on(next).ok('PUT', `${roomPath(left)}/send/m.room.message/1`, { msgtype: 'm.text', body: 'here' });
  expect((await DESERTED_ROOMS.scan(next.views, { prefix: [], limit: 10 })).map(({ key }) => key[1])).toContain(left);
  expect(await purgesOf(next)).toEqual([]);
  await next.views.operations.resume('deserted-rooms');
  await expect.poll(async () => (await purgesOf(next)).map(({ room_id }) => room_id)).toEqual([gone]);
  await next.close();
}, 60_000);

it('a room to which another server invited somebody once all here had left it, which the room itself does not know, stays, and so does the invitation', async () => {
  const app = await SyncApp.start();
  const [alice, bob] = [await app.register('alice'), await app.register('bob')];
  const roomId = (await alice.createRoom()) as RoomId;
  await alice.ok('POST', `${roomPath(roomId)}/leave`, {});
  const userId = bob.userId as UserId;
  const sender = OTHER_SERVER.user('carol');
  const member = { type: 'm.room.member', sender, state_key: userId, content: { membership: 'invite' } };
  const invited: MembershipTold = {
    room_id: roomId,
    room_version: '11',
    membership: 'invite',
    event_id: '$invitation' as EventId,
    origin: OTHER_SERVER.name,
    pdu: { ...member, origin_server_ts: Date.now() },
    state: [],
  };
  await app.get(MembershipsElsewhere).tell(userId, invited, { actor: sender });
  await app.settled();
  await app.get(RoomPurges).order({ room_id: roomId, because: 'deserted' }, 'server');
  await expect.poll(async () => (await purgesOf(app))[0]?.ended).toBeDefined();
  expect((await purgesOf(app))[0]?.ended?.refused).toContain(`${userId} is in the room, or invited`);
  expect((await bob.sync()).rooms.invite[roomId]).toBeDefined();
  await app.close();
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
  await expect.poll(async () => (await purgesOf(app))[0]?.ended).toBeDefined();
  expect((await purgesOf(app))[0]?.ended?.refused).toContain('is held: a court wants it');
  expect((await alice.call('GET', `${roomPath(roomId)}/state`)).status).toBe(200);
  await app.close();
}, 60_000);
