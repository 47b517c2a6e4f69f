import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REMOTE_PROFILES } from '#accounts/remote-profiles';
import { REMOTE_DIRECTORIES } from '#directory/remote-directories';
import { systemClock } from '#kernel/clock';
import { REMOTE_ROOMS } from '#rooms/remote-rooms';
import { FakePeer } from '#testing/fake-peer';
import { type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';
import { TestPeers } from '#testing/test-peers';
import { RemoteMemberships } from '../joining/remote-memberships.js';
import type { ServersInRooms } from '../sending/servers-in-rooms.js';
import { PeersDirectories } from './remote-directories.js';
import { PeersProfiles } from './remote-profiles.js';

const V1 = '/_matrix/federation/v1';

let peer: FakePeer;
let ours: TestPeers;
let app: RoomsApp;
let alice: TestUser;

beforeAll(async () => {
  peer = await FakePeer.start();
  ours = new TestPeers();
  const { peers } = ours;
  const nobodyElse = { of: async () => new Set([peer.name]) } as unknown as ServersInRooms;
  const unused = {} as never; // nobody comes or goes here
  app = await startRoomsApp([
    { provide: REMOTE_PROFILES, useValue: new PeersProfiles(peers, systemClock) },
    { provide: REMOTE_DIRECTORIES, useValue: new PeersDirectories(peers, nobodyElse) },
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
  it('leads where that server says, through both doors', async () => {
    const answer = { room_id: '!room:z.example', servers: ['z.example', 'not a server', 1] };
    peer.on('GET', `${V1}/query/directory`, () => ({ body: answer }));
    const alias = encodeURIComponent(`#room:${peer.name}`);
    const told = { room_id: '!room:z.example', servers: [peer.name, 'z.example'] };
    expect(await alice.ok('GET', `/directory/room/${alias}`)).toEqual(told);
    expect(await alice.ok('GET', `/_matrix/client/api/v1/directory/room/${alias}`)).toEqual(told);
    peer.on('GET', `${V1}/query/directory`, () => ({ status: 404, body: { errcode: 'M_NOT_FOUND', error: 'no' } }));
    expect(await alice.call('GET', `/directory/room/${alias}`)).toMatchObject({ status: 404 });
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
