import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeLiveKit } from '#testing/fake-livekit';
import { type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';
import { liveKitIdentityOf, liveKitRoomOf } from '../livekit/livekit-names.js';

const SERVICE = '/_matrix/client/unstable/dev.annals.livekit';

describe('the service that clients look for beside LiveKit', () => {
  let livekit: FakeLiveKit;
  let app: RoomsApp;
  let alice: TestUser;
  let roomId: string;

  beforeAll(async () => {
    livekit = await FakeLiveKit.start();
    app = await startRoomsApp([], livekit.settings);
    alice = await app.register('alice');
    roomId = await alice.createRoom();
  });
  afterAll(async () => {
    await app.close();
    await livekit.stop();
  });

  const openIdOf = (user: TestUser): Promise<object> =>
    user.ok('POST', `/user/${user.userId}/openid/request_token`, {});
  /** As Element Call asks where memberships are state events, and where they are sticky. */
  const ofDevice = async (user: TestUser, more: object = {}): Promise<object> => ({
    room: roomId,
    openid_token: await openIdOf(user),
    device_id: 'DEVICE',
    ...more,
  });
  const ofMember = async (user: TestUser, more: object = {}): Promise<object> => ({
    room_id: roomId,
    slot_id: 'm.call#ROOM',
    openid_token: await openIdOf(user),
    member: { id: 'm1', claimed_user_id: user.userId, claimed_device_id: 'DEVICE' },
    ...more,
  });
  const outcomeOf = async (path: string, body: object): Promise<unknown[]> => {
    const { status, body: answer } = await app.call('POST', `${SERVICE}/${path}`, { body });
    return [status, answer.errcode];
  };

  it('gives a token of the user whose OpenID token it is, by the name by which others know the membership', async () => {
    const old = await app.call('POST', `${SERVICE}/sfu/get`, { body: await ofDevice(alice) });
    expect([old.status, old.body.url]).toEqual([200, livekit.url]);
    expect(livekit.read(old.body.jwt)).toMatchObject({
      sub: `${alice.userId}:DEVICE`,
      video: { room: liveKitRoomOf(roomId as never, 'm.call#ROOM'), canPublish: true },
    });
    const { body } = await app.call('POST', `${SERVICE}/get_token`, { body: await ofMember(alice) });
    expect(body.url).toBe(livekit.url);
    expect(livekit.read(body.jwt)).toMatchObject({
      sub: liveKitIdentityOf({ userId: alice.userId as never, deviceId: 'DEVICE', memberId: 'm1' }),
      video: livekit.read(old.body.jwt).video,
    });
  });

  it('gives none to who is not in the room, shows no good token, or that of somebody else', async () => {
    const bob = await app.register('bob');
    expect(await outcomeOf('sfu/get', await ofDevice(bob))).toEqual([403, 'M_FORBIDDEN']);
    expect(await outcomeOf('get_token', await ofMember(bob))).toEqual([403, 'M_FORBIDDEN']);
    const forged = { access_token: 'forged', matrix_server_name: 'a.example' };
    expect(await outcomeOf('sfu/get', await ofDevice(alice, { openid_token: forged }))).toEqual([
      401,
      'M_UNAUTHORIZED',
    ]);
    const elsewhere = { access_token: 'x', matrix_server_name: 'elsewhere.example' };
    expect(await outcomeOf('get_token', await ofMember(alice, { openid_token: elsewhere }))).toEqual([
      401,
      'M_UNAUTHORIZED',
    ]);
    const stolen = await ofMember(alice, { member: { id: 'm', claimed_user_id: bob.userId, claimed_device_id: 'D' } });
    expect(await outcomeOf('get_token', stolen)).toEqual([401, 'M_UNAUTHORIZED']);
  });

  it.each([
    ['sfu/get', { room: undefined }, 'M_MISSING_PARAM'],
    ['sfu/get', { room: 'x' }, 'M_INVALID_PARAM'],
    ['sfu/get', { openid_token: 'x' }, 'M_BAD_JSON'],
    ['sfu/get', { openid_token: {} }, 'M_MISSING_PARAM'],
    ['sfu/get', { openid_token: { access_token: 'x', matrix_server_name: 'a b' } }, 'M_BAD_JSON'],
    ['sfu/get', { device_id: 1 }, 'M_BAD_JSON'],
    ['sfu/get', { device_id: '8448:DEVICE' }, 'M_BAD_JSON'],
    ['sfu/get', { delay_id: 'x', delay_timeout: 1_000 }, 'M_INVALID_PARAM'],
    ['get_token', { member: {} }, 'M_MISSING_PARAM'],
    ['get_token', { slot_id: [] }, 'M_BAD_JSON'],
    ['get_token', { delay_id: 'x', delay_timeout: 1_000 }, 'M_INVALID_PARAM'],
    ['delegate_delayed_leave', {}, 'M_MISSING_PARAM'],
    ['delegate_delayed_leave', { delay_id: 'x' }, 'M_INVALID_PARAM'],
  ])('wants to be asked in the right form: %s %j', async (path, more, errcode) => {
    const body = await (path === 'sfu/get' ? ofDevice : ofMember)(alice, more);
    expect(await outcomeOf(path, body)).toEqual([400, errcode]);
  });
});

it('is not there where there is no LiveKit', async () => {
  const app = await startRoomsApp();
  try {
    const body = {
      room: '!r:a.example',
      openid_token: { access_token: 'x', matrix_server_name: 'a.example' },
      device_id: 'D',
    };
    const answer = await app.call('POST', `${SERVICE}/sfu/get`, { body });
    expect([answer.status, answer.body.errcode]).toEqual([404, 'M_UNRECOGNIZED']);
  } finally {
    await app.close();
  }
});
