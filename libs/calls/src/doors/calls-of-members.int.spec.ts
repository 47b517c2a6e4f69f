import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeLiveKit } from '#testing/fake-livekit';
import { type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';

const GET_TOKEN = '/_matrix/client/v1/rtc/livekit/get_token';
const SFU_GET = '/_matrix/client/unstable/dev.annals.livekit/sfu/get';
const WEBHOOK = '/_matrix/client/unstable/dev.annals.livekit/sfu_webhook';

describe('who is in a call', () => {
  let livekit: FakeLiveKit;
  let app: RoomsApp;
  let alice: TestUser;
  let bob: TestUser;
  let roomId: string;

  beforeAll(async () => {
    livekit = await FakeLiveKit.start();
    app = await startRoomsApp([], livekit.settings);
    [alice, bob] = [await app.register('alice'), await app.register('bob')];
  });
  beforeEach(async () => {
    roomId = await alice.createRoom({ preset: 'public_chat' });
    await bob.ok('POST', `/rooms/${roomId}/join`, {});
  });
  afterAll(async () => {
    await app.close();
    await livekit.stop();
  });

  const tokenFor = async (user: TestUser, slot = 'm.call#ROOM'): Promise<string> => {
    const body = { url: livekit.url, room_id: roomId, slot_id: slot, member_id: `of ${user.userId}` };
    return (await user.ok('POST', GET_TOKEN, body)).jwt;
  };

  it.each(['leave', 'kick', 'ban'] as const)('is put out of all of them that are of a room: by a %s', async (how) => {
    const ofBob = [await tokenFor(bob), await tokenFor(bob, 'another slot')];
    const all = [...ofBob, await tokenFor(alice)];
    for (const token of all) livekit.letIn(token);
    if (how === 'leave') await bob.ok('POST', `/rooms/${roomId}/leave`, {});
    else await alice.ok('POST', `/rooms/${roomId}/${how}`, { user_id: bob.userId });
    await expect.poll(() => all.map((token) => livekit.has(token))).toEqual([false, false, true]);
  });

  it('is put out again where they come back with the token that they had', async () => {
    const tokens = [await tokenFor(alice), await tokenFor(bob)];
    await alice.ok('POST', `/rooms/${roomId}/kick`, { user_id: bob.userId });
    for (const token of tokens) expect((await app.send(WEBHOOK, livekit.letIn(token))).status).toBe(200);
    expect(tokens.map((token) => livekit.has(token))).toEqual([true, false]);
  });

  it('is put out whose session has ended, by whatever they came, and not by their other one', async () => {
    const identifier = { type: 'm.id.user', user: bob.userId };
    const body = { type: 'm.login.password', identifier, password: 'of bob' };
    const { body: session } = await app.call('POST', '/_matrix/client/v3/login', { body });
    const { access_token: token } = session as { access_token: string };
    const post = async (path: string, asked: object): Promise<{ readonly jwt?: string }> =>
      (await app.call('POST', path, { token, body: asked })).body as { readonly jwt?: string };
    const openId = await post(`/_matrix/client/v3/user/${bob.userId}/openid/request_token`, {});
    const wanted = { url: livekit.url, room_id: roomId, slot_id: 'm.call#ROOM', member_id: 'of the lost phone' };
    const byOpenId = { room: roomId, device_id: 'LOST', openid_token: openId };
    const lost = [await post(GET_TOKEN, wanted), await post(SFU_GET, byOpenId)].map(({ jwt }) => jwt!);
    const all = [...lost, await tokenFor(bob)];
    for (const one of all) livekit.letIn(one);
    await post('/_matrix/client/v3/logout', {});
    await expect.poll(() => all.map((one) => livekit.has(one))).toEqual([false, false, true]);
    expect((await app.send(WEBHOOK, livekit.letIn(lost[0]!))).status).toBe(200);
    expect(livekit.has(lost[0]!)).toBe(false);
  });

  it('is left alone where somebody else let them in', async () => {
    livekit.present.set('a room recorder', '{"role":"recorder"}');
    livekit.rooms.set('a room', {});
    const token = await tokenFor(bob);
    livekit.letIn(token);
    await bob.ok('POST', `/rooms/${roomId}/leave`, {});
    await expect.poll(() => livekit.has(token)).toBe(false);
    expect(livekit.present.has('a room recorder')).toBe(true);
  });

  it('is put out whatever LiveKit does not say of another call', async () => {
    livekit.rooms.clear();
    await tokenFor(bob, 'the first');
    [livekit.silentOn] = livekit.rooms.keys();
    const token = await tokenFor(bob);
    livekit.letIn(token);
    await bob.ok('POST', `/rooms/${roomId}/leave`, {});
    await expect.poll(() => livekit.has(token)).toBe(false);
    livekit.silentOn = undefined;
  });

  it('is put out once LiveKit answers again', async () => {
    const token = await tokenFor(bob);
    livekit.letIn(token);
    livekit.fails = 500;
    await bob.ok('POST', `/rooms/${roomId}/leave`, {});
    const joined = livekit.webhook({ event: 'participant_joined', room: {}, participant: {} });
    expect((await app.send(WEBHOOK, joined)).status).toBe(200);
    livekit.fails = undefined;
    expect((await app.send(WEBHOOK, livekit.letIn(token))).status).toBe(200);
    expect(livekit.has(token)).toBe(false);
  });
});
