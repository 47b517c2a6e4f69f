import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { registerAdmin, SHARED_SECRET } from '#testing/register-admin';
import { type RoomsAnswer, type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';

let app: RoomsApp;
let admin: string;
let bob: TestUser;
beforeEach(async () => {
  app = await startRoomsApp([], { ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET });
  admin = await registerAdmin(app);
  bob = await app.register('bob');
});
afterEach(() => app.close());

const pathOf = (what: 'lock' | 'suspend', user: string): string =>
  `/_matrix/client/v1/admin/${what}/${encodeURIComponent(user)}`;
const set = (what: 'lock' | 'suspend', isOn: boolean, user = bob.userId, token = admin): Promise<RoomsAnswer> =>
  app.call('PUT', pathOf(what, user), { token, body: { [`${what === 'lock' ? 'locked' : 'suspended'}`]: isOn } });
const get = (what: 'lock' | 'suspend', user = bob.userId, token = admin): Promise<RoomsAnswer> =>
  app.call('GET', pathOf(what, user), { token });
const login = (): Promise<RoomsAnswer> =>
  app.call('POST', '/_matrix/client/v3/login', {
    body: { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'bob' }, password: 'of bob' },
  });

describe('administrators', () => {
  it('lock and suspend accounts, and lift that, each for itself', async () => {
    for (const [what, key] of [
      ['lock', 'locked'],
      ['suspend', 'suspended'],
    ] as const) {
      expect(await get(what)).toEqual({ status: 200, body: { [key]: false } });
      for (const isOn of [true, true, false]) {
        expect(await set(what, isOn)).toEqual({ status: 200, body: { [key]: isOn } });
        expect(await get(what)).toEqual({ status: 200, body: { [key]: isOn } });
      }
    }
    const asSynapse = `/_synapse/admin/v1/suspend/${bob.userId}`;
    expect((await app.call('PUT', asSynapse, { token: admin, body: { suspend: true } })).body).toEqual({
      [`user_${bob.userId}_suspended`]: true,
    });
    expect((await get('suspend')).body).toEqual({ suspended: true });
    expect((await get('lock')).body).toEqual({ locked: false });
  });

  it('are told by the capabilities that they may, and others are not', async () => {
    const capabilitiesOf = async (token: string): Promise<object> =>
      (await app.call('GET', '/_matrix/client/v3/capabilities', { token })).body.capabilities;
    expect(await capabilitiesOf(admin)).toMatchObject({ 'm.account_moderation': { suspend: true, lock: true } });
    expect(await capabilitiesOf(bob.token)).not.toHaveProperty('m.account_moderation');
  });

  it('cannot do it to themselves, nor to users elsewhere, nor to who is not there, and nobody else can', async () => {
    await app.register('gone').then((gone) => gone.ok('POST', '/account/deactivate', { auth: { type: 'm.login.password', user: 'gone', password: 'of gone' } })); // prettier-ignore
    for (const what of ['lock', 'suspend'] as const) {
      for (const [user, refusal] of [
        ['@root:a.example', [403, 'M_FORBIDDEN']],
        ['@bob:b.example', [400, 'M_INVALID_PARAM']],
        ['@nobody:a.example', [404, 'M_NOT_FOUND']],
        ['@gone:a.example', [404, 'M_NOT_FOUND']],
      ] as const) {
        for (const { status, body } of [await set(what, true, user), await get(what, user)]) {
          expect([user, status, body.errcode]).toEqual([user, ...refusal]);
        }
        // Whoever is no administrator hears the same of each.
        for (const { status, body } of [await set(what, true, user, bob.token), await get(what, user, bob.token)]) {
          expect([user, status, body.errcode]).toEqual([user, 403, 'M_FORBIDDEN']);
        }
      }
      const { status, body } = await app.call('PUT', pathOf(what, bob.userId), { token: admin, body: {} });
      expect([status, body.errcode]).toEqual([400, 'M_MISSING_PARAM']);
    }
  });
});

describe('a locked account', () => {
  it('is one that nobody gets into, by a token, a password or a refresh, until that is lifted', async () => {
    const refreshable = await app.call('POST', '/_matrix/client/v3/login', {
      body: {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user: 'bob' },
        password: 'of bob',
        refresh_token: true,
      },
    });
    const refresh = (): Promise<RoomsAnswer> =>
      app.call('POST', '/_matrix/client/v3/refresh', { body: { refresh_token: refreshable.body.refresh_token } });
    await set('lock', true);
    const locked = { status: 401, body: { errcode: 'M_USER_LOCKED', soft_logout: true } };
    expect(await bob.call('GET', '/sync')).toMatchObject(locked);
    expect(await login()).toMatchObject(locked);
    expect(await refresh()).toMatchObject(locked);
    expect(await app.call('GET', '/_matrix/client/v3/publicRooms', { token: bob.token })).toMatchObject(locked);
    const guess = { type: 'm.login.password', user: 'bob', password: 'wrong' };
    expect((await app.call('POST', '/_matrix/client/v3/login', { body: guess })).body.errcode).toBe('M_FORBIDDEN');
    await set('lock', false);
    expect((await bob.call('GET', '/account/whoami')).status).toBe(200);
    expect((await login()).status).toBe(200);
    expect((await refresh()).status).toBe(200);
  });
});

describe('a suspended account', () => {
  const SUSPENDED = { status: 403, body: { errcode: 'M_USER_SUSPENDED' } };

  it('reads, redacts what it said, and leaves, in both dialects, and does nothing else that others see', async () => {
    const alice = await app.register('alice');
    const powers = { users: { [alice.userId]: 100, [bob.userId]: 100 } };
    const roomId = await alice.createRoom({
      preset: 'public_chat',
      room_version: '11',
      power_level_content_override: powers,
    });
    const other = await alice.createRoom({ preset: 'public_chat' });
    const invited = await alice.createRoom({ invite: [bob.userId] });
    await bob.ok('POST', `/join/${roomId}`);
    const rooms = `/rooms/${encodeURIComponent(roomId)}`;
    const { event_id: own } = await bob.ok('PUT', `${rooms}/send/m.room.message/1`, { msgtype: 'm.text', body: 'a' });
    const { event_id: second } = await bob.ok('PUT', `${rooms}/send/m.room.message/2`, {
      msgtype: 'm.text',
      body: 'b',
    });
    const { event_id: third } = await bob.ok('PUT', `${rooms}/send/m.room.message/3`, { msgtype: 'm.text', body: 'c' });
    const { event_id: hers } = await alice.ok('PUT', `${rooms}/send/m.room.message/1`, {
      msgtype: 'm.text',
      body: 'd',
    });
    await set('suspend', true);

    const v1 = (method: 'POST' | 'PUT', path: string, body: object): Promise<RoomsAnswer> =>
      app.call(method, `/_matrix/client/api/v1${path}?access_token=${bob.token}`, { body });
    const text = { msgtype: 'm.text', body: 'e' };
    for (const answer of [
      await bob.call('PUT', `${rooms}/send/m.room.message/4`, text),
      await bob.call('PUT', `${rooms}/send/m.room.message/5?org.matrix.msc4140.delay=1000`, text),
      await v1('POST', `${rooms}/send/m.room.message`, text),
      await bob.call('PUT', `${rooms}/state/m.room.topic`, { topic: 'e' }),
      await v1('PUT', `${rooms}/state/m.room.topic`, { topic: 'e' }),
      await bob.call('PUT', `${rooms}/state/m.room.member/${bob.userId}`, { membership: 'join', displayname: 'e' }),
      await bob.call('PUT', `${rooms}/redact/${hers}/6`, {}),
      await v1('POST', `${rooms}/redact/${hers}`, {}),
      await bob.call('PUT', `${rooms}/send/m.room.redaction/7`, { redacts: hers }),
      await bob.call('POST', `/join/${other}`),
      await v1('POST', `/join/${encodeURIComponent(other)}`, {}),
      await bob.call('POST', '/join/%23nowhere:a.example'),
      await v1('PUT', '/join/%23nowhere:a.example/1', {}),
      await v1('POST', `/rooms/${encodeURIComponent(invited)}/join`, {}),
      await v1('PUT', `/rooms/${encodeURIComponent(invited)}/state/m.room.member/${bob.userId}`, {
        membership: 'join',
      }),
      await bob.call('POST', `/knock/${other}`),
      await bob.call('POST', `${rooms}/invite`, { user_id: '@root:a.example' }),
      await v1('POST', `${rooms}/invite`, { user_id: '@root:a.example' }),
      await v1('POST', `${rooms}/ban`, { user_id: alice.userId }),
      await v1('PUT', `${rooms}/state/m.room.member/${alice.userId}`, { membership: 'ban' }),
      await bob.call('PUT', `/profile/${bob.userId}/displayname`, { displayname: 'e' }),
      await bob.call('POST', '/createRoom', {}),
    ]) {
      expect(answer).toMatchObject(SUSPENDED);
    }
    const { chunk } = await bob.ok('GET', `${rooms}/messages?dir=b`);
    expect(chunk.map(({ event_id: id }: { event_id: string }) => id)).toContain(hers);
    await bob.ok('PUT', `${rooms}/redact/${own}/8`, {});
    await bob.ok('PUT', `${rooms}/send/m.room.redaction/9`, { redacts: second });
    expect((await v1('POST', `${rooms}/redact/${third}`, {})).status).toBe(200);
    await bob.ok('POST', `/rooms/${encodeURIComponent(invited)}/leave`);
    expect((await v1('PUT', `${rooms}/state/m.room.member/${bob.userId}`, { membership: 'leave' })).status).toBe(200);
    const again = await login();
    expect(again.status).toBe(200);
    expect(
      await app.call('POST', '/_matrix/client/v3/createRoom', { token: again.body.access_token, body: {} }),
    ).toMatchObject(SUSPENDED);
    await set('suspend', false);
    await bob.ok('POST', '/createRoom', {});
  });

  it('puts an end to its sessions, and to itself', async () => {
    await set('suspend', true);
    const { body: other } = await login();
    const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'bob' }, password: 'of bob' };
    const devices = [other.device_id];
    const { session } = (await bob.call('POST', '/delete_devices', { devices })).body;
    await bob.ok('POST', '/delete_devices', { devices, auth: { ...auth, session } });
    const whoami = await app.call('GET', '/_matrix/client/v3/account/whoami', { token: other.access_token });
    expect([whoami.status, whoami.body.errcode]).toEqual([401, 'M_UNKNOWN_TOKEN']);
    const asked = await bob.call('POST', '/account/deactivate', {});
    await bob.ok('POST', '/account/deactivate', { auth: { ...auth, session: asked.body.session } });
    expect((await bob.call('GET', '/account/whoami')).body.errcode).toBe('M_UNKNOWN_TOKEN');
    expect((await get('suspend')).body.errcode).toBe('M_NOT_FOUND');
  });

  it('does not have sent what it had said to send later', async () => {
    const roomId = await bob.createRoom();
    const { delay_id: delayId } = await bob.ok(
      'PUT',
      `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/1?org.matrix.msc4140.delay=3600000`,
      { msgtype: 'm.text', body: 'later' },
    );
    await set('suspend', true);
    const manage = `/_matrix/client/v1/delayed_events/${delayId}/send`;
    expect(await app.call('POST', manage, { token: bob.token, body: {} })).toMatchObject(SUSPENDED);
    await set('suspend', false);
    await set('lock', true);
    expect(await app.call('POST', manage, { body: {} })).toMatchObject({
      status: 401,
      body: { errcode: 'M_USER_LOCKED' },
    });
    await set('lock', false);
    expect((await app.call('POST', manage, { body: {} })).status).toBe(200);
  });
});
