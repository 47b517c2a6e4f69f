import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeLiveKit } from '#testing/fake-livekit';
import { type RoomsApp, type RoomsAnswer, startRoomsApp, type TestUser } from '#testing/rooms-app';
import { liveKitIdentityOf, liveKitRoomOf } from '../livekit/livekit-names.js';

const PATHS = ['v1', 'unstable/io.element.msc4195'].map((prefix) => `/_matrix/client/${prefix}/rtc/livekit/get_token`);
const PATH = PATHS[0]!;
const SLOT = 'm.call#ROOM';

describe('tokens for LiveKit', () => {
  let livekit: FakeLiveKit;
  let app: RoomsApp;
  let alice: TestUser;
  let roomId: string;

  beforeAll(async () => {
    livekit = await FakeLiveKit.start();
    app = await startRoomsApp([], { ...livekit.settings, ANNALS_PUBLIC_URL: 'https://matrix.a.example/' });
    alice = await app.register('alice');
    roomId = await alice.createRoom({ preset: 'public_chat' });
  });
  afterAll(async () => {
    await app.close();
    await livekit.stop();
  });

  const ask = (user: TestUser, body: object, path = PATH): Promise<RoomsAnswer> =>
    user.call('POST', path, { url: livekit.url, room_id: roomId, slot_id: SLOT, ...body });

  it('are given to who is joined to the room, and let them publish in the room that was made', async () => {
    for (const path of PATHS) {
      const before = Math.floor(Date.now() / 1_000);
      const { status, body } = await ask(alice, { member_id: 'm1' }, path);
      expect([status, Object.keys(body)]).toEqual([200, ['jwt']]);
      const { nbf, exp, metadata, ...claims } = livekit.read(body.jwt);
      expect(metadata).toEqual(expect.any(String));
      const room = liveKitRoomOf(roomId as never, SLOT);
      expect(claims).toEqual({
        iss: livekit.key,
        sub: liveKitIdentityOf({ userId: alice.userId as never, memberId: 'm1' }),
        video: {
          room,
          roomJoin: true,
          roomCreate: false,
          canPublish: true,
          canSubscribe: true,
          canUpdateOwnMetadata: false,
          hidden: false,
        },
      });
      expect(nbf).toBeGreaterThanOrEqual(before);
      expect(exp - nbf).toBe(3_600);
      expect(livekit.rooms.get(room)).toEqual({ name: room, empty_timeout: 300, departure_timeout: 20 });
    }
  });

  it('are for whom others look for: the device is in the name where the client says it', async () => {
    const subOf = async (body: object): Promise<unknown> => livekit.read((await ask(alice, body)).body.jwt).sub;
    const userId = alice.userId as never;
    expect(await subOf({ member: { id: 'm1', claimed_device_id: 'D' } })).toBe(
      liveKitIdentityOf({ userId, memberId: 'm1', deviceId: 'D' }),
    );
    expect(await subOf({ member: { id: 'm1' } })).toBe(liveKitIdentityOf({ userId, memberId: 'm1' }));
    expect(await subOf({ member_id: 'm1', server_name: 'a.example' })).toBe(
      liveKitIdentityOf({ userId, memberId: 'm1' }),
    );
  });

  it('are given to guests who are in the room', async () => {
    await alice.ok('PUT', `/rooms/${roomId}/state/m.room.guest_access`, { guest_access: 'can_join' });
    const guest = await app.registerGuest();
    expect((await ask(guest, { member_id: 'm' })).body.errcode).toBe('M_FORBIDDEN');
    await guest.ok('POST', `/rooms/${roomId}/join`, {});
    expect((await ask(guest, { member_id: 'm' })).status).toBe(200);
  });

  it('are refused to whom they are not for, and nothing is made then', async () => {
    const bob = await app.register('bob');
    await bob.ok('POST', `/rooms/${roomId}/join`, {});
    await bob.ok('POST', `/rooms/${roomId}/leave`, {});
    await alice.ok('POST', `/rooms/${roomId}/invite`, { user_id: bob.userId });
    const before = livekit.asked.length;
    const refused = async (user: TestUser, body: object): Promise<unknown[]> => {
      const { status, body: answer } = await ask(user, { member_id: 'm', ...body });
      return [status, answer.errcode];
    };
    expect(await refused(bob, {})).toEqual([403, 'M_FORBIDDEN']);
    expect(await refused(bob, { url: 'wss://elsewhere.example' })).toEqual([403, 'M_FORBIDDEN']);
    expect(await refused(alice, { room_id: '!unknown:a.example' })).toEqual([403, 'M_FORBIDDEN']);
    expect(await refused(alice, { url: 'wss://elsewhere.example' })).toEqual([400, 'M_INVALID_PARAM']);
    expect(await refused(alice, { server_name: 'elsewhere.example' })).toEqual([403, 'M_FORBIDDEN']);
    expect((await app.call('POST', PATH, { body: {} })).body.errcode).toBe('M_MISSING_TOKEN');
    expect(livekit.asked).toHaveLength(before);
  });

  it.each([
    ['no member', { member_id: undefined }, 'M_MISSING_PARAM'],
    ['no slot', { slot_id: undefined }, 'M_MISSING_PARAM'],
    ['a slot that is no state key', { slot_id: 'x'.repeat(256) }, 'M_BAD_JSON'],
    ['a slot that is no text of Unicode', { slot_id: '\ud800' }, 'M_BAD_JSON'],
    ['a room that is none', { room_id: 'room' }, 'M_INVALID_PARAM'],
    ['a server that is none', { server_name: 'a b' }, 'M_INVALID_PARAM'],
    ['a member that is a number', { member_id: 1 }, 'M_BAD_JSON'],
    ['a member that is a list', { member_id: undefined, member: [] }, 'M_BAD_JSON'],
  ])('want to be asked for in the right form: %s', async (_, body, errcode) => {
    const { status, body: answer } = await ask(alice, { member_id: 'm', ...body });
    expect([status, answer.errcode]).toEqual([400, errcode]);
  });

  it('are not given where LiveKit makes no room', async () => {
    livekit.fails = 503;
    const { status, body } = await ask(alice, { member_id: 'm' });
    livekit.fails = undefined;
    expect([status, body.errcode]).toEqual([502, 'M_UNKNOWN']);
  });

  it('are told of where clients look: by its own name, and for those of before beside the service, which this server is', async () => {
    const service = 'https://matrix.a.example/_matrix/client/unstable/dev.annals.livekit';
    const { body } = await alice.call('GET', '/_matrix/client/v1/rtc/transports');
    expect(body).toEqual({
      transports: [{ type: 'm.livekit', url: livekit.url }],
      rtc_transports: [{ type: 'livekit', livekit_service_url: service, url: livekit.url }],
    });
    const { body: known } = await app.call('GET', '/.well-known/matrix/client');
    expect(known['org.matrix.msc4143.rtc_foci']).toEqual([{ type: 'livekit', livekit_service_url: service }]);
  });
});

it('gives no tokens where there is no LiveKit', async () => {
  const app = await startRoomsApp();
  try {
    const alice = await app.register('alice');
    const room = await alice.createRoom();
    const body = { url: 'wss://livekit.a.example', room_id: room, slot_id: SLOT, member_id: 'm' };
    expect((await alice.call('POST', PATH, body)).body.errcode).toBe('M_INVALID_PARAM');
  } finally {
    await app.close();
  }
});
