import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { FakeLiveKit } from '#testing/fake-livekit';
import { FakePeer } from '#testing/fake-peer';
import { FederatedServer, type FederatedUser } from '../test/federated-server.js';

const CLIENTS = '/_matrix/client/v1/rtc/livekit/get_token';
const SERVERS = ['v1', 'unstable/io.element.msc4195'].map(
  (prefix) => `/_matrix/federation/${prefix}/rtc/livekit/get_token`,
);
const SERVICE = '/_matrix/client/unstable/dev.annals.livekit/sfu/get';
const inPath = encodeURIComponent;

describe('calls that other servers carry', { timeout: 60_000 }, () => {
  let ours: FederatedServer;
  let theirs: FederatedServer;
  let peer: FakePeer;
  let livekit: FakeLiveKit;
  let theirLiveKit: FakeLiveKit;
  let alice: FederatedUser;
  let bob: FederatedUser;
  let roomId: string;

  beforeAll(async () => {
    [livekit, theirLiveKit, peer] = await Promise.all([FakeLiveKit.start(), FakeLiveKit.start(), FakePeer.start()]);
    [ours, theirs] = await Promise.all([
      FederatedServer.start(livekit.settings),
      FederatedServer.start(theirLiveKit.settings),
    ]);
    [alice, bob] = await Promise.all([ours.register('alice'), theirs.register('bob')]);
    roomId = (await alice.ok('POST', '/createRoom', { preset: 'public_chat' })).room_id;
    await bob.ok('POST', `/join/${inPath(roomId)}?via=${ours.name}`, {});
  }, 60_000);
  afterAll(async () => {
    await Promise.all([ours, theirs, peer, livekit, theirLiveKit].map((one) => one.stop()));
  });

  const about = (url: string, more: object = {}): JsonObject => ({
    url,
    room_id: roomId,
    slot_id: 'm.call#ROOM',
    member_id: 'm',
    ...more,
  });
  const outcomeOf = async (user: FederatedUser, body: JsonObject): Promise<unknown[]> => {
    const { status, body: answer } = await user.call('POST', CLIENTS, body);
    return [status, answer.errcode];
  };

  it('are heard by who is in the room, who may not publish there, and each server has one room of its own for them', async () => {
    const { jwt } = await bob.ok('POST', CLIENTS, about(livekit.url, { server_name: ours.name }));
    const { jwt: own } = await alice.ok('POST', CLIENTS, about(livekit.url));
    const [heard, spoken] = [livekit.read(jwt), livekit.read(own)];
    expect(heard.video).toEqual({ ...spoken.video, canPublish: false });
    expect(heard.sub).not.toBe(spoken.sub);
    expect([livekit.rooms.size, theirLiveKit.rooms.size]).toEqual([1, 0]);
    const { jwt: other } = await alice.ok('POST', CLIENTS, about(theirLiveKit.url, { server_name: theirs.name }));
    expect(theirLiveKit.read(other)).toMatchObject({ sub: spoken.sub, video: { canPublish: false } });
  });

  it('are refused as the other server refuses, and where it gives nothing', async () => {
    const at = { server_name: ours.name };
    expect(await outcomeOf(bob, about('wss://elsewhere.example', at))).toEqual([400, 'M_INVALID_PARAM']);
    expect(await outcomeOf(bob, about(livekit.url, { server_name: peer.name }))).toEqual([403, 'M_FORBIDDEN']);
    livekit.fails = 500;
    expect(await outcomeOf(bob, about(livekit.url, at))).toEqual([502, 'M_UNKNOWN']);
    livekit.fails = undefined;
    await ours.whileAway(async () => {
      expect(await outcomeOf(bob, about(livekit.url, at))).toEqual([502, 'M_UNKNOWN']);
    });
  });

  it('are for users of the server that asks alone, who are in the room', async () => {
    const stranger = `@carol:${peer.name}`;
    for (const path of SERVERS) {
      for (const user of [stranger, alice.userId, bob.userId]) {
        const content = about(livekit.url, { user_id: user });
        const asked = { destination: ours.name as never, method: 'POST', path, content } as const;
        expect(await peer.ask(ours.origin, asked)).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
        expect((await peer.ask(ours.origin, { ...asked, authorization: '' })).status).toBe(401);
      }
    }
    const content = about(livekit.url, { user_id: 'carol' });
    const asked = { destination: ours.name as never, method: 'POST', path: SERVERS[0]!, content } as const;
    expect((await peer.ask(ours.origin, asked)).body['errcode']).toBe('M_INVALID_PARAM');
  });

  it('are heard by who shows an OpenID token of a server in the room, and nobody else is asked for one', async () => {
    const post = async (token: object): Promise<{ status: number; jwt?: string; errcode?: string }> => {
      const body = JSON.stringify({ room: roomId, openid_token: token, device_id: 'D' });
      const answer = await fetch(`${ours.address}${SERVICE}`, { method: 'POST', body });
      return { status: answer.status, ...((await answer.json()) as object) };
    };
    const openId = await bob.ok('POST', `/user/${inPath(bob.userId)}/openid/request_token`, {});
    const { status, jwt } = await post(openId);
    expect(status).toBe(200);
    expect(livekit.read(jwt!)).toMatchObject({ sub: `${bob.userId}:D`, video: { canPublish: false } });
    expect(await post({ ...openId, access_token: 'x' })).toMatchObject({ status: 401, errcode: 'M_UNAUTHORIZED' });
    peer.on('GET', '/_matrix/federation/v1/openid/userinfo', () => ({ body: { sub: bob.userId } }));
    const lie = await post({ access_token: 'x', matrix_server_name: peer.name });
    expect(lie).toMatchObject({ status: 401, errcode: 'M_UNAUTHORIZED' });
    expect(peer.calls.filter(({ path }) => path.includes('userinfo'))).toEqual([]);
  });

  it('are not for users of a server that the room keeps out', async () => {
    const other = (await alice.ok('POST', '/createRoom', { preset: 'public_chat' })).room_id;
    await bob.ok('POST', `/join/${inPath(other)}?via=${ours.name}`, {});
    const body = about(livekit.url, { server_name: ours.name, room_id: other });
    expect(await outcomeOf(bob, body)).toEqual([200, undefined]);
    const acl = { allow: ['*'], deny: ['localhost'], allow_ip_literals: true };
    await alice.ok('PUT', `/rooms/${inPath(other)}/state/m.room.server_acl`, acl);
    expect(await outcomeOf(bob, body)).toEqual([403, 'M_FORBIDDEN']);
  });
});

it('lets users of a server publish that the operator names', { timeout: 60_000 }, async () => {
  const livekit = await FakeLiveKit.start();
  const theirs = await FederatedServer.start();
  const settings = { ...livekit.settings, ANNALS_LIVEKIT_PUBLISHERS: theirs.name };
  const ours = await FederatedServer.start(settings);
  try {
    const [alice, bob] = await Promise.all([ours.register('alice'), theirs.register('bob')]);
    const { room_id: roomId } = await alice.ok('POST', '/createRoom', { preset: 'public_chat' });
    await bob.ok('POST', `/join/${inPath(roomId)}?via=${ours.name}`, {});
    const body = { url: livekit.url, room_id: roomId, slot_id: 's', member_id: 'm', server_name: ours.name };
    const { jwt } = await bob.ok('POST', CLIENTS, body);
    expect(livekit.read(jwt).video).toMatchObject({ canPublish: true });
  } finally {
    await Promise.all([ours, theirs, livekit].map((one) => one.stop()));
  }
});
