import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';

let app: RoomsApp;
let alice: TestUser;

beforeAll(async () => {
  app = await startRoomsApp();
  alice = await app.register('alice');
});
afterAll(() => app.close());

const CLOSED = { status: 403, body: { errcode: 'M_GUEST_ACCESS_FORBIDDEN' } };
const OPEN = { guest_access: 'can_join' };
const OPEN_AGAIN = { ...OPEN, note: 'so that it is another event' };
const message = { msgtype: 'm.text', body: 'hello' };

function setAccess(roomId: string, access: string): Promise<unknown> {
  return alice.ok('PUT', `/rooms/${roomId}/state/m.room.guest_access`, { guest_access: access });
}

async function openRoom(): Promise<string> {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await setAccess(roomId, 'can_join');
  return roomId;
}

function localpart(user: TestUser): string {
  return user.userId.slice(1, user.userId.indexOf(':'));
}

describe('a guest', () => {
  it('gets an account without any authentication, chooses nothing of it, and knows what it is', async () => {
    const body = { username: 'me', password: 'secret', device_id: 'MINE' };
    const answer = await app.call('POST', '/_matrix/client/v3/register?kind=guest', { body });
    expect(answer.status).toBe(200);
    expect(answer.body.user_id).not.toBe('@me:a.example');
    expect(answer.body.device_id).not.toBe('MINE');
    const { access_token: token } = answer.body;
    expect((await app.call('GET', '/_matrix/client/v3/account/whoami', { token })).body.is_guest).toBe(true);
  });

  it('joins and talks where the room lets guests in, and nowhere else', async () => {
    const guest = await app.registerGuest();
    const open = await openRoom();
    await guest.ok('POST', `/rooms/${open}/join`);
    await guest.ok('PUT', `/rooms/${open}/send/m.room.message/1`, message);
    const shut = await alice.createRoom({ preset: 'public_chat' });
    expect(await guest.call('POST', `/rooms/${shut}/join`)).toMatchObject(CLOSED);
    const member = `/rooms/${shut}/state/m.room.member/${guest.userId}`;
    expect(await guest.call('PUT', member, { membership: 'join' })).toMatchObject(CLOSED);
  });

  it('leaves when a room closes to guests, while users stay', async () => {
    const guest = await app.registerGuest();
    const bob = await app.register('bob');
    const roomId = await openRoom();
    await guest.ok('POST', `/rooms/${roomId}/join`);
    await bob.ok('POST', `/rooms/${roomId}/join`);
    await setAccess(roomId, 'forbidden');
    const membership = async (user: TestUser): Promise<string> =>
      (await alice.ok('GET', `/rooms/${roomId}/state/m.room.member/${user.userId}`)).membership;
    await expect.poll(() => membership(guest)).toBe('leave');
    expect(await membership(bob)).toBe('join');
  });

  it('leaves when what let guests in is redacted, while what is in force no more may be redacted freely', async () => {
    const guest = await app.registerGuest();
    const roomId = await openRoom();
    const { event_id: first } = await alice.ok('PUT', `/rooms/${roomId}/state/m.room.guest_access`, OPEN_AGAIN);
    const { event_id: inForce } = await alice.ok('PUT', `/rooms/${roomId}/state/m.room.guest_access`, OPEN);
    await guest.ok('POST', `/rooms/${roomId}/join`);
    const membership = async (): Promise<string> =>
      (await alice.ok('GET', `/rooms/${roomId}/state/m.room.member/${guest.userId}`)).membership;
    await alice.ok('PUT', `/rooms/${roomId}/redact/${first}/1`);
    await guest.ok('PUT', `/rooms/${roomId}/send/m.room.message/1`, message);
    expect(await membership()).toBe('join');
    await alice.ok('PUT', `/rooms/${roomId}/redact/${inForce}/2`);
    await expect.poll(membership).toBe('leave');
    expect(await guest.call('POST', `/rooms/${roomId}/join`)).toMatchObject(CLOSED);
  });

  it('has a name and no more, and begins no rooms', async () => {
    const guest = await app.registerGuest();
    await guest.ok('PUT', `/profile/${guest.userId}/displayname`, { displayname: 'Passer-by' });
    expect(await guest.call('PUT', `/profile/${guest.userId}/avatar_url`, { avatar_url: 'mxc://a/b' })).toMatchObject(
      CLOSED,
    );
    expect(await guest.call('POST', '/createRoom', {})).toMatchObject(CLOSED);
  });
});

describe('a guest who becomes a user', () => {
  const dummy = { type: 'm.login.dummy' };
  const upgrade = (username: string, token: string): ReturnType<RoomsApp['call']> => {
    const body = { username, password: 'of a user', guest_access_token: token, auth: dummy };
    return app.call('POST', '/_matrix/client/v3/register', { body });
  };

  it('keeps the user id, gets a password, and is no guest on any device', async () => {
    const guest = await app.registerGuest();
    const answer = await upgrade(localpart(guest), guest.token);
    expect(answer).toMatchObject({ status: 200, body: { user_id: guest.userId } });
    for (const token of [guest.token, answer.body.access_token]) {
      expect((await app.call('GET', '/_matrix/client/v3/account/whoami', { token })).body.is_guest).toBe(false);
    }
    const identifier = { type: 'm.id.user', user: localpart(guest) };
    const login = { type: 'm.login.password', identifier, password: 'of a user' };
    expect((await app.call('POST', '/_matrix/client/v3/login', { body: login })).status).toBe(200);
    expect((await upgrade(localpart(guest), guest.token)).status).toBe(403);
  });

  it('cannot take the user id of another guest, nor of a user', async () => {
    const [guest, other] = [await app.registerGuest(), await app.registerGuest()];
    const refused = { status: 403, body: { errcode: 'M_FORBIDDEN' } };
    expect(await upgrade(localpart(other), guest.token)).toMatchObject(refused);
    expect(await upgrade('alice', guest.token)).toMatchObject(refused);
    expect(await upgrade('alice', alice.token)).toMatchObject(refused);
  });
});
