import 'reflect-metadata';
import { createHmac } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { FederatedServer, type FederatedUser } from '../test/federated-server.js';

const SECRET = 'a shared secret';
const JOIN_MS = 30_000;
const WORLD_READABLE = { type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } };
const SLIDING = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync';

let here: FederatedServer;
let far: FederatedServer;
let operator: FederatedUser;
let alice: FederatedUser;
let bob: FederatedUser;
let dave: FederatedUser;

beforeAll(async () => {
  // Who comes and goes would end the polls of others.
  here = await FederatedServer.start({ ANNALS_REGISTRATION_SHARED_SECRET: SECRET, ANNALS_PRESENCE: 'off' });
  far = await FederatedServer.start();
  [alice, bob, dave] = [await here.register('alice'), await here.register('bob'), await far.register('dave')];
  operator = await registerAdmin(here);
}, JOIN_MS);

afterAll(async () => {
  await Promise.all([here.stop(), far.stop()]);
});

async function registerAdmin(server: FederatedServer): Promise<FederatedUser> {
  const path = '/_synapse/admin/v1/register';
  const known = await server.register('operator-before');
  const { nonce } = (await known.ok('GET', path)) as { nonce: string };
  const mac = createHmac('sha1', SECRET).update([nonce, 'operator', 'a password', 'admin'].join('\0')).digest('hex');
  const body = { nonce, username: 'operator', password: 'a password', admin: true, mac };
  const { access_token: token } = (await known.ok('POST', path, body)) as { access_token: string };
  return server.as(token);
}

const inRoom = (roomId: string, path: string): string => `/rooms/${encodeURIComponent(roomId)}${path}`;
const say = (user: FederatedUser, roomId: string, body: string): Promise<{ event_id: string }> =>
  user.ok('PUT', inRoom(roomId, `/send/m.room.message/${Math.random()}`), { msgtype: 'm.text', body });

/** A room of Alice's, with Bob and somebody of another server in it, in which something was said. */
async function sharedRoom(alias: string): Promise<string> {
  const made = { preset: 'public_chat', room_alias_name: alias, name: 'The pub', visibility: 'public' };
  const { room_id: roomId } = (await alice.ok('POST', '/createRoom', made)) as { room_id: string };
  await bob.ok('POST', `/join/${encodeURIComponent(roomId)}`, {});
  await dave.ok('POST', `/join/${encodeURIComponent(roomId)}?via=${here.name}`, {});
  await say(alice, roomId, 'an unrepeatable remark');
  return roomId;
}

async function purge(roomId: string, content: object = {}): Promise<{ status: string; error?: string }> {
  const path = `/_synapse/admin/v2/rooms/${encodeURIComponent(roomId)}`;
  const { delete_id: id } = (await operator.ok('DELETE', path, content)) as { delete_id: string };
  return vi.waitFor(
    async () => {
      const status = await operator.ok('GET', `/_synapse/admin/v2/rooms/delete_status/${id}`);
      expect(['complete', 'failed']).toContain(status.status);
      return status;
    },
    { timeout: 60_000, interval: 50 },
  );
}

/** What anybody here is told of a room, or of what was in it. */
async function traces(roomId: string, alias: string): Promise<unknown[]> {
  const room = await bob.call('GET', inRoom(roomId, '/state'));
  const messages = await bob.call('GET', inRoom(roomId, '/messages?dir=b'));
  const found = await bob.ok('POST', '/search', {
    search_categories: { room_events: { search_term: 'unrepeatable', filter: { rooms: [roomId] } } },
  });
  const listed = await bob.ok('GET', '/publicRooms');
  const named = await bob.call('GET', `/directory/room/${encodeURIComponent(`#${alias}:${here.name}`)}`);
  const synced = await bob.ok('GET', `/sync?filter=${encodeURIComponent('{"room":{"include_leave":true}}')}`);
  return [
    room.status,
    messages.status,
    found.search_categories.room_events.count,
    listed.chunk.filter((one: { room_id: string }) => one.room_id === roomId).length,
    named.status,
    JSON.stringify(synced).includes(roomId),
  ];
}

const NOTHING = [403, 403, 0, 0, 404, false];

it('of a room that everybody here left nothing is found any more, also by views that are made anew, and who joins it again gets it anew', async () => {
  const roomId = await sharedRoom('pub');
  for (const user of [alice, bob]) await user.ok('POST', inRoom(roomId, '/leave'), {});
  expect(await traces(roomId, 'pub')).not.toEqual(NOTHING);
  expect(await purge(roomId)).toMatchObject({ status: 'complete' });
  expect(await traces(roomId, 'pub')).toEqual(NOTHING);
  await here.whileAway(async () => rmSync(join(here.folder, 'views'), { recursive: true }));
  expect(await traces(roomId, 'pub')).toEqual(NOTHING);

  await say(dave, roomId, 'while they were away');
  await bob.ok('POST', `/join/${encodeURIComponent(roomId)}?via=${far.name}`, {});
  await say(bob, roomId, 'here again');
  await say(dave, roomId, 'welcome back');
  await expect
    .poll(async () => {
      const { chunk } = await bob.ok('GET', inRoom(roomId, '/messages?dir=b&limit=50'));
      return (chunk as { content: { body?: string } }[]).map(({ content }) => content.body);
    })
    .toEqual(expect.arrayContaining(['welcome back', 'here again', 'while they were away']));
  const members = await bob.ok('GET', inRoom(roomId, '/joined_members'));
  expect(Object.keys(members.joined).sort()).toEqual([bob.userId, dave.userId].sort());
  await here.whileAway(async () => rmSync(join(here.folder, 'views'), { recursive: true }));
  expect(await bob.ok('GET', inRoom(roomId, '/joined_members'))).toEqual(members);
  await say(bob, roomId, 'and after the views were made anew');
}, 90_000);

it('users who are in a room leave it before it is purged, and hear that they did', async () => {
  const roomId = await sharedRoom('inn');
  const { next_batch: since } = (await alice.ok('GET', '/sync')) as { next_batch: string };
  const list = { lists: { all: { ranges: [[0, 20]], timeline_limit: 5, required_state: [['*', '*']] } } };
  const { pos } = (await bob.ok('POST', SLIDING, list)) as { pos: string };
  const { end: from } = (await bob.ok('GET', '/_matrix/client/api/v1/initialSync')) as { end: string };
  const heard = alice.ok('GET', `/sync?since=${since}&timeout=20000`);
  expect(await purge(roomId)).toMatchObject({
    status: 'complete',
    shutdown_room: { kicked_users: expect.arrayContaining([alice.userId, bob.userId]) },
  });
  expect(Object.keys((await heard).rooms?.leave ?? {})).toEqual([roomId]);
  // Nothing but that they left it.
  expect(await traces(roomId, 'inn')).toEqual([...NOTHING.slice(0, -1), true]);
  // Who was away, and has the room from before, is told the same, and nothing else of it.
  const { rooms } = await bob.ok('GET', `/sync?since=${since}`);
  expect([rooms.join, rooms.leave[roomId].timeline.events, rooms.leave[roomId].state.events]).toEqual([
    {},
    [expect.objectContaining({ type: 'm.room.member', state_key: bob.userId, content: { membership: 'leave' } })],
    [],
  ]);
  const slid = await bob.ok('POST', `${SLIDING}?pos=${encodeURIComponent(pos)}`, list);
  const told = [expect.objectContaining({ state_key: bob.userId, content: { membership: 'leave' } })];
  expect(slid.rooms[roomId]).toMatchObject({ timeline: told, required_state: told });
  expect((await bob.ok('POST', SLIDING, list)).rooms[roomId]).toBeUndefined();
  const old = await bob.call('GET', `/_matrix/client/api/v1/events?from=${from}&timeout=0&access_token=${bob.token}`);
  expect(old.status).toBe(200);
  expect(JSON.stringify(old.body)).not.toContain('unrepeatable');
  expect(JSON.stringify(await bob.ok('GET', '/_matrix/client/api/v1/initialSync'))).not.toContain(roomId);
  await expect
    .poll(async () => Object.keys((await dave.ok('GET', inRoom(roomId, '/joined_members'))).joined))
    .toEqual([dave.userId]);
  // Who is invited to it again has it anew.
  await dave.ok('POST', inRoom(roomId, '/invite'), { user_id: bob.userId });
  await expect.poll(async () => (await bob.ok('GET', '/sync')).rooms?.invite?.[roomId]).toBeDefined();
  await bob.ok('POST', inRoom(roomId, '/join'), {});
  expect((await bob.ok('GET', inRoom(roomId, '/state/m.room.name'))).name).toBe('The pub');
}, 60_000);

it('other servers, and who is of none, are answered of such a room as of one that never was', async () => {
  const made = { preset: 'public_chat', initial_state: [WORLD_READABLE] };
  const { room_id: roomId } = (await alice.ok('POST', '/createRoom', made)) as { room_id: string };
  await alice.ok('POST', inRoom(roomId, '/leave'), {});
  expect(await purge(roomId)).toMatchObject({ status: 'complete' });
  const unknown = `!${'u'.repeat(43)}`;
  const answers = async (id: string): Promise<unknown[]> => {
    const [joined, state, known] = [
      await dave.call('POST', `/join/${encodeURIComponent(id)}?via=${here.name}`, {}),
      await bob.call('GET', inRoom(id, '/state')),
      await bob.call('GET', `/_matrix/client/v1/room_summary/${encodeURIComponent(id)}`),
    ];
    return [joined, state, known].map(({ status, body }) => [status, body.errcode]);
  };
  expect(await answers(roomId)).toEqual(await answers(unknown));
  const path = `/_synapse/admin/v2/rooms/${encodeURIComponent(roomId)}`;
  expect((await operator.call('DELETE', path, {})).status).toBe(404);
  expect((await bob.call('DELETE', path, {})).status).toBe(403);
  const { results } = await operator.ok('GET', `${path}/delete_status`);
  expect(results).toMatchObject([{ status: 'complete' }]);
  for (const refused of [{ block: true }, { purge: false }, { new_room_user_id: bob.userId }])
    expect((await operator.call('DELETE', path, refused)).body.errcode).toBe('M_INVALID_PARAM');
}, 60_000);
