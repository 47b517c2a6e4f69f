import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REMOTE_PROFILES } from '#accounts/remote-profiles';
import { REMOTE_DIRECTORIES } from '#directory/remote-directories';
import type { JsonObject } from '#kernel/json';
import { systemClock } from '#kernel/clock';
import { REMOTE_ROOMS } from '#rooms/remote-rooms';
import { SPACES_ELSEWHERE } from '#rooms/spaces-elsewhere';
import { FakePeer } from '#testing/fake-peer';
import { type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';
import { TestPeers } from '#testing/test-peers';
import { RemoteMemberships } from '../joining/remote-memberships.js';
import type { ServersInRooms } from '../sending/servers-in-rooms.js';
import { PeersDirectories } from './peers-directories.js';
import { ServersToAsk } from '../joining/servers-to-ask.js';
import { PeersProfiles } from './peers-profiles.js';
import { PeersSpaces } from './peers-spaces.js';

const V1 = '/_matrix/federation/v1';

let peer: FakePeer;
let ours: TestPeers;
let app: RoomsApp;
let alice: TestUser;

beforeAll(async () => {
  peer = await FakePeer.start();
  ours = new TestPeers();
  const { peers, config } = ours;
  const nobodyElse = { of: async () => new Set([peer.name]) } as unknown as ServersInRooms;
  const unused = {} as never; // nobody comes or goes here
  app = await startRoomsApp([
    { provide: REMOTE_PROFILES, useValue: new PeersProfiles(peers, systemClock) },
    { provide: REMOTE_DIRECTORIES, useValue: new PeersDirectories(peers, nobodyElse) },
    { provide: SPACES_ELSEWHERE, useValue: new PeersSpaces(peers, new ServersToAsk(nobodyElse, config), systemClock) },
    { provide: REMOTE_ROOMS, useValue: new RemoteMemberships(peers, unused, unused, unused, unused) },
  ]);
  alice = await app.register('alice');
});
afterAll(async () => {
  await app.close();
  await ours.close();
  await peer.stop();
});

/** How often the peer was asked for a path. */
const timesAsked = (path: string): number => peer.calls.filter((call) => call.path.startsWith(path)).length;

describe('the profile of a user of another server', () => {
  const profile = { displayname: 'Carol', avatar_url: null, 'm.tz': 'Europe/Rome', pi: 3.5 };

  it('is asked for once for all who ask within some minutes, and told as it is there', async () => {
    peer.on('GET', `${V1}/query/profile`, () => ({ body: profile }));
    const carol = peer.server.user('carol');
    const told = { displayname: 'Carol', 'm.tz': 'Europe/Rome', pi: 3.5 };
    expect(await alice.ok('GET', `/profile/${carol}`)).toEqual(told);
    expect(await alice.ok('GET', `/profile/${carol}/displayname`)).toEqual({ displayname: 'Carol' });
    expect(await alice.ok('GET', `/profile/${carol}/avatar_url`)).toEqual({});
    expect((await alice.call('GET', `/profile/${carol}/none`)).body).toMatchObject({ errcode: 'M_NOT_FOUND' });
    expect(timesAsked(`${V1}/query/profile?user_id=${encodeURIComponent(carol)}`)).toBe(1);
  });

  it('is refused as its server refuses it, with codes of any namespace and what else it says', async () => {
    const ask = async (localpart: string, status: number, body: object) => {
      peer.on('GET', `${V1}/query/profile`, () => ({ status, body: { ...body } }));
      return alice.call('GET', `/profile/${peer.server.user(localpart)}`);
    };
    const own = { errcode: 'ORG.EXAMPLE.NO', error: 'not here', why: 1 };
    expect(await ask('a', 403, own)).toEqual({ status: 403, body: own });
    expect(await ask('b', 404, { errcode: 'M_NOT_FOUND', error: 'nobody' })).toMatchObject({ status: 404 });
    // It is our request that it means, and no session of a client.
    const unknown = { errcode: 'M_UNKNOWN_TOKEN', error: 'who?', soft_logout: true };
    const refused = await ask('c', 401, unknown);
    expect(refused).toMatchObject({ status: 502, body: { errcode: 'M_UNKNOWN' } });
    expect(refused.body).not.toHaveProperty('soft_logout');
    expect(await ask('d', 404, { errcode: 'M_UNRECOGNIZED', error: 'no path' })).toMatchObject({
      status: 404,
      body: { errcode: 'M_NOT_FOUND' },
    });
    expect(await ask('e', 500, {})).toMatchObject({ status: 502, body: { errcode: 'M_UNKNOWN' } });
  });

  it('is not to be had of a server that is away', async () => {
    const { status, body } = await alice.call('GET', '/profile/@carol:127.0.0.1:1');
    expect([status, body.errcode]).toEqual([502, 'M_UNKNOWN']);
  });
});

describe('an alias of another server', () => {
  it('leads where that server says, through both doors, and names each server once', async () => {
    const answer = { room_id: '!room:z.example', servers: ['z.example', 'not a server', 1, peer.name, 'z.example'] };
    peer.on('GET', `${V1}/query/directory`, () => ({ body: answer }));
    const alias = encodeURIComponent(`#room:${peer.name}`);
    const told = { room_id: '!room:z.example', servers: [peer.name, 'z.example'] };
    expect(await alice.ok('GET', `/directory/room/${alias}`)).toEqual(told);
    expect(await alice.ok('GET', `/_matrix/client/api/v1/directory/room/${alias}`)).toEqual(told);
    peer.on('GET', `${V1}/query/directory`, () => ({ status: 404, body: { errcode: 'M_NOT_FOUND', error: 'no' } }));
    expect(await alice.call('GET', `/directory/room/${alias}`)).toMatchObject({ status: 404 });
  });

  it('is asked for by who has not logged in only while its server answers, and a few at a time; by users all the same', async () => {
    const path = (n: number) => `/_matrix/client/v3/directory/room/${encodeURIComponent(`#room${n}:${peer.name}`)}`;
    let answerAll = (): void => {};
    const gate = new Promise<void>((resolve) => (answerAll = resolve));
    const answer = { body: { room_id: '!room:z.example', servers: [] } };
    let asked = 0;
    peer.on('GET', `${V1}/query/directory`, async () => {
      asked++;
      await gate;
      return answer;
    });
    const strangers = Array.from({ length: 9 }, (_, n) => app.call('GET', path(n)));
    await expect.poll(() => asked).toBe(5);
    const ofUser = alice.call('GET', path(99));
    await expect.poll(() => asked).toBe(6);
    answerAll();
    const statuses = (await Promise.all(strangers)).map(({ status }) => status).toSorted();
    expect(statuses).toEqual([200, 200, 200, 200, 200, 502, 502, 502, 502]);
    expect(await ofUser).toMatchObject({ status: 200 });
    peer.on('GET', `${V1}/query/directory`, () => ({
      status: 429,
      body: { errcode: 'M_LIMIT_EXCEEDED', retry_after_ms: 60_000 },
    }));
    await alice.call('GET', path(1));
    expect(ours.peers.isLeftAlone(peer.name)).toBe(true);
    peer.on('GET', `${V1}/query/directory`, () => answer);
    expect(await app.call('GET', path(1))).toMatchObject({ status: 502 });
    expect(await alice.call('GET', path(1))).toMatchObject({ status: 200 });
  });

  it('of this server names those that are in the room', async () => {
    await alice.createRoom({ room_alias_name: 'ours' });
    const { servers } = await alice.ok('GET', `/directory/room/${encodeURIComponent('#ours:a.example')}`);
    expect(servers).toEqual(['a.example', peer.name]);
  });
});

describe('the public rooms of another server', () => {
  const room = { room_id: '!a:z.example', name: 'A', num_joined_members: 3, world_readable: true, extra: { x: 1 } };

  it('are told as they are there, but for what is no room', async () => {
    const page = { chunk: [room, { name: 'none' }, 1], next_batch: 'n', prev_batch: 7, total_room_count_estimate: 9 };
    peer.on('GET', `${V1}/publicRooms`, () => ({ body: page }));
    const told = await alice.ok('GET', `/publicRooms?server=${peer.name}&limit=5&since=s`);
    expect(told).toEqual({ chunk: [room], next_batch: 'n', total_room_count_estimate: 9 });
    expect(peer.calls.at(-1)?.path).toBe(`${V1}/publicRooms?limit=5&since=s`);
  });

  it('are searched there, in the networks that are wanted', async () => {
    peer.on('POST', `${V1}/publicRooms`, () => ({ body: { chunk: [] } }));
    const filter = { generic_search_term: 'x', room_types: ['m.space', null] };
    const body = { filter, limit: 10, third_party_instance_id: 'irc' };
    expect(await alice.ok('POST', `/publicRooms?server=${peer.name}`, body)).toEqual({ chunk: [] });
    expect(peer.calls.at(-1)?.content).toEqual({ filter, limit: 10, third_party_instance_id: 'irc' });
  });

  it('are for who has an account here; our own list is for all', async () => {
    const ask = (query: string) => app.call('GET', `/_matrix/client/v3/publicRooms${query}`);
    expect(await ask(`?server=${peer.name}`)).toMatchObject({ status: 401, body: { errcode: 'M_MISSING_TOKEN' } });
    expect(await ask('')).toMatchObject({ status: 200 });
    expect(await alice.call('GET', '/publicRooms?server=%2F')).toMatchObject({ status: 400 });
  });

  it('are none where the answer is none', async () => {
    peer.on('GET', `${V1}/publicRooms`, () => ({ body: { chunk: {} } }));
    expect(await alice.call('GET', `/publicRooms?server=${peer.name}`)).toMatchObject({ status: 502 });
  });
});

describe('rooms of other servers', () => {
  const described = (room_id: string, more: object = {}) => ({
    room_id,
    num_joined_members: 2,
    world_readable: false,
    guest_can_join: false,
    join_rule: 'public',
    ...more,
  });
  const child = (state_key: string, content: object = {}) => ({
    type: 'm.space.child',
    state_key,
    sender: '@carol:z.example',
    content: { via: [peer.name], ...content },
    origin_server_ts: 5,
  });
  const told = new Map<string, object>();

  beforeAll(() => {
    peer.on('GET', `${V1}/hierarchy/(.*)`, ({ parts: [roomId = ''] }) => {
      const body = told.get(roomId) as JsonObject | undefined;
      return body === undefined ? { status: 404, body: { errcode: 'M_NOT_FOUND', error: 'no' } } : { body };
    });
    const inner = {
      room: { ...described('!inner:z', { room_type: 'm.space', name: 'inner' }), children_state: [] },
      children: [],
      inaccessible_children: [],
    };
    told.set('!inner:z', { ...inner, room: { ...inner.room, children_state: [child('!deep:z'), child('!space:z')] } });
    told.set('!deep:z', { room: described('!deep:z', { name: 'deep' }), children: [], inaccessible_children: [] });
    told.set('!space:z', {
      room: {
        ...described('!space:z', { room_type: 'm.space', name: 'far', extra: 1 }),
        children_state: [
          child('!plain:z', { order: 'a', suggested: true }),
          child('!inner:z', { order: 'b' }),
          child('!closed:z', { order: 'c' }),
          child('!invite:z', { order: 'd' }),
          { ...child('!odd:z'), sender: 7 },
          'nonsense',
        ],
      },
      children: [
        described('!plain:z', { name: 'plain' }),
        described('!inner:z', { room_type: 'm.space', name: 'inner' }),
        described('!invite:z', { name: 'by invitation', join_rule: 'invite' }),
        { name: 'none' },
      ],
      inaccessible_children: ['!closed:z'],
    });
  });

  const namesIn = async (roomId: string, query = ''): Promise<(string | undefined)[]> => {
    const path = `/_matrix/client/v1/rooms/${encodeURIComponent(roomId)}/hierarchy${query}`;
    return ((await alice.ok('GET', path)).rooms as { name?: string }[]).map(({ name }) => name);
  };

  it('stand in a space of ours, with what is in them as far as the user may know of it', async () => {
    const near = await alice.createRoom({ name: 'near', creation_content: { type: 'm.space' } });
    const put = (key: string) =>
      alice.ok('PUT', `/rooms/${encodeURIComponent(near)}/state/m.space.child/${key}`, { via: [peer.name] });
    await put('!space:z');
    await put('!unknown:z');
    expect(await namesIn(near)).toEqual(['near', 'far', 'plain', 'inner', 'deep']);
    expect(await namesIn(near, '?max_depth=1')).toEqual(['near', 'far']);
    const asked = peer.calls.length;
    expect(await namesIn(near, '?suggested_only=true')).toEqual(['near']);
    expect(peer.calls).toHaveLength(asked);
    expect(peer.calls.some(({ path }) => path.includes(encodeURIComponent('!closed:z')))).toBe(false);
  });

  it('are walked from a space that is not here, told in the form of the specification', async () => {
    expect(await namesIn('!space:z')).toEqual(['far', 'plain', 'inner', 'deep']);
    expect(await namesIn('!space:z', '?suggested_only=true')).toEqual(['far', 'plain']);
    const { rooms } = await alice.ok('GET', '/_matrix/client/v1/rooms/!space:z/hierarchy?max_depth=0');
    expect(rooms[0]).toEqual({
      ...described('!space:z', { room_type: 'm.space', name: 'far' }),
      children_state: ['!plain:z', '!inner:z', '!closed:z', '!invite:z'].map((key) =>
        expect.objectContaining({ type: 'm.space.child', state_key: key, origin_server_ts: 5 }),
      ),
    });
    expect(await alice.call('GET', '/_matrix/client/v1/rooms/!unknown:z/hierarchy')).toMatchObject({ status: 403 });
  });

  it('are told of one by one, for who has an account here', async () => {
    const path = `/_matrix/client/v1/room_summary/!deep:z?via=${peer.name}&via=z.example`;
    expect(await alice.ok('GET', path)).toEqual({ ...described('!deep:z', { name: 'deep' }), membership: 'leave' });
    expect((await app.call('GET', path)).status).toBe(404);
    told.set('!mine:z', { room: described('!mine:z', { join_rule: 'invite' }) });
    expect((await alice.call('GET', '/_matrix/client/v1/room_summary/!mine:z')).status).toBe(404);
  });
});
