import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AccountsApp, startAccountsApp } from '#testing/accounts-app';
import { FirstRegistrationToken } from '../first-registration-token.js';

const REGISTER = '/_matrix/client/v3/register';
const DUMMY = { type: 'm.login.dummy' };

describe('registration, where it is open', () => {
  let app: AccountsApp;
  beforeAll(async () => void (app = await startAccountsApp()));
  afterAll(() => app.close());

  it('answers an empty request with the flows, and no errcode', async () => {
    const { status, body } = await app.call('POST', REGISTER, { body: {} });
    expect(status).toBe(401);
    expect(body).toEqual({
      session: expect.any(String),
      flows: [{ stages: ['m.login.dummy'] }],
      params: {},
      completed: [],
    });
  });

  it('makes an account in one request, with capitals made small', async () => {
    const body = { auth: DUMMY, username: 'Alice', password: 'wonderland', device_id: 'PHONE' };
    const answer = await app.call('POST', REGISTER, { body });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      user_id: '@alice:example.org',
      home_server: 'example.org',
      device_id: 'PHONE',
      access_token: expect.any(String),
    });
    const whoami = await app.call('GET', '/_matrix/client/r0/account/whoami', {
      token: String(answer.body['access_token']),
    });
    expect(whoami.body).toEqual({ user_id: '@alice:example.org', device_id: 'PHONE', is_guest: false });
  });

  it('refuses a taken user name before any authentication, in any case', async () => {
    const answer = await app.call('POST', REGISTER, { body: { username: 'ALICE', password: 'x' } });
    expect([answer.status, answer.body['errcode']]).toEqual([400, 'M_USER_IN_USE']);
    const available = await app.call('GET', `${REGISTER}/available?username=alice`);
    expect([available.status, available.body['errcode']]).toEqual([400, 'M_USER_IN_USE']);
    expect((await app.call('GET', `${REGISTER}/available?username=free`)).body).toEqual({ available: true });
  });

  it.each(['!', '"', ':', '?', '\\', '@', '[', ']', '{', '|', '}', '£', 'é', '\n', "'"])(
    'refuses %j in a user name',
    async (letter) => {
      const body = { auth: DUMMY, username: `name${letter}`, password: 'secret' };
      const answer = await app.call('POST', REGISTER, { body });
      expect([answer.status, answer.body['errcode']]).toEqual([400, 'M_INVALID_USERNAME']);
    },
  );

  it.each(['q', '3', '.', '_', '=', '-', '/', '+'])('allows %j in a user name', async (letter) => {
    const body = { auth: DUMMY, username: `allowed${letter}`, password: 'secret' };
    expect((await app.call('POST', REGISTER, { body })).status).toBe(200);
  });

  it('remembers the parameters of the session, and answers a repeated request alike', async () => {
    const parameters = {
      username: 'carol',
      password: 'pässword',
      device_id: 'xyzzy',
      initial_device_display_name: 'Hers',
    };
    const { session } = (await app.call('POST', REGISTER, { body: parameters })).body;
    const first = await app.call('POST', REGISTER, { body: { auth: { ...DUMMY, session } } });
    const again = await app.call('POST', REGISTER, { body: { ...parameters, auth: { ...DUMMY, session } } });
    expect(first.status).toBe(200);
    expect(again.body).toEqual(first.body);
    const token = String(first.body['access_token']);
    const device = await app.call('GET', '/_matrix/client/v3/devices/xyzzy', { token });
    expect(device.body).toMatchObject({ device_id: 'xyzzy', display_name: 'Hers' });
  });

  it('makes up a user name where none is wanted, and opens no session where none is', async () => {
    const answer = await app.call('POST', REGISTER, { body: { auth: DUMMY, password: 'x', inhibit_login: true } });
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body).toSorted()).toEqual(['home_server', 'user_id']);
    expect(answer.body['user_id']).toMatch(/^@[a-z0-9]+:example\.org$/);
  });

  it('has no empty passwords', async () => {
    const weak = await app.call('POST', REGISTER, { body: { auth: DUMMY, username: 'weak', password: '' } });
    expect([weak.status, weak.body['errcode']]).toEqual([400, 'M_WEAK_PASSWORD']);
  });

  it('lets one of two take a user name that both want at once', async () => {
    const body = { auth: DUMMY, username: 'wanted', password: 'secret' };
    const answers = await Promise.all([1, 2, 3].map(() => app.call('POST', REGISTER, { body })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400, 400]);
  });

  it('keeps no secret in the log', async () => {
    const body = { auth: DUMMY, username: 'secretive', password: 'correct horse', refresh_token: true };
    const answer = (await app.call('POST', REGISTER, { body })).body;
    const log: string[] = [];
    for await (const fact of app.store.readStream('user-@secretive:example.org')) log.push(fact.data);
    expect(log).toHaveLength(2);
    for (const secret of ['correct horse', answer['access_token'], answer['refresh_token']]) {
      expect(log.join()).not.toContain(secret);
    }
    expect(log[0]).toContain('$argon2id$v=19$m=19456,t=2,p=1$');
  });
});

describe('registration, where it needs a token', () => {
  let app: AccountsApp;
  let token: string;
  beforeAll(async () => {
    app = await startAccountsApp({ ANNALS_REGISTRATION: 'token' });
    await app.get(FirstRegistrationToken).issue((shown) => (token = shown));
  });
  afterAll(() => app.close());

  const validity = (text: string) =>
    app.call('GET', `/_matrix/client/v1/register/m.login.registration_token/validity?token=${text}`);

  it('has no guests', async () => {
    const guest = await app.call('POST', `${REGISTER}?kind=guest`, { body: {} });
    expect([guest.status, guest.body['errcode']]).toEqual([403, 'M_FORBIDDEN']);
  });

  it('issues the first token once in the life of the log', async () => {
    expect(token).toMatch(/^[\w-]{22}$/);
    await app.get(FirstRegistrationToken).issue(() => expect.unreachable());
    expect((await validity(token)).body).toEqual({ valid: true });
    expect((await validity('made-up')).body).toEqual({ valid: false });
  });

  it('offers the stage, refuses a wrong token, lets the right one in once', async () => {
    const parameters = { username: 'first', password: 'secret' };
    const { body: offer } = await app.call('POST', REGISTER, { body: parameters });
    expect(offer['flows']).toEqual([{ stages: ['m.login.registration_token'] }]);
    const { session } = offer;
    const auth = { type: 'm.login.registration_token', session };
    const wrong = await app.call('POST', REGISTER, { body: { ...parameters, auth: { ...auth, token: 'wrong' } } });
    expect(wrong.status).toBe(401);
    expect(wrong.body).toMatchObject({ errcode: 'M_FORBIDDEN', session, completed: [] });
    const dummy = await app.call('POST', REGISTER, { body: { ...parameters, auth: { ...DUMMY, session } } });
    expect([dummy.status, dummy.body['errcode']]).toEqual([401, 'M_UNRECOGNIZED']);
    const right = await app.call('POST', REGISTER, { body: { ...parameters, auth: { ...auth, token } } });
    expect(right.status).toBe(200);
    expect((await validity(token)).body).toEqual({ valid: false });
    const again = await app.call('POST', REGISTER, {
      body: { username: 'second', password: 'x', auth: { type: 'm.login.registration_token', token } },
    });
    expect([again.status, again.body['errcode']]).toEqual([401, 'M_FORBIDDEN']);
  });
});

describe('registration, where it is closed', () => {
  it('is refused, but for who knows the shared secret', async () => {
    const app = await startAccountsApp({
      ANNALS_REGISTRATION: 'closed',
      ANNALS_REGISTRATION_SHARED_SECRET: 'reg_secret',
    });
    const { registrationMac } = await import('#admin/shared-secret/registration-mac');
    const body = { auth: DUMMY, username: 'alice', password: 'secret' };
    const answer = await app.call('POST', REGISTER, { body });
    expect([answer.status, answer.body['errcode']]).toEqual([403, 'M_FORBIDDEN']);
    expect((await app.call('GET', '/_matrix/client/api/v1/register')).status).toBe(403);

    const admin = '/_synapse/admin/v1/register';
    const nonce = String((await app.call('GET', admin)).body['nonce']);
    const vouched = { nonce, username: 'Root', password: 'secret', admin: true };
    const mac = registrationMac('reg_secret', vouched);
    const made = await app.call('POST', admin, { body: { ...vouched, mac, displayname: 'The operator' } });
    expect(made.body).toMatchObject({ user_id: '@root:example.org', access_token: expect.any(String) });
    expect((await app.call('GET', '/_matrix/client/v3/profile/@root:example.org')).body).toEqual({
      displayname: 'The operator',
    });
    const replayed = await app.call('POST', admin, { body: { ...vouched, username: 'other', mac } });
    expect([replayed.status, replayed.body['error']]).toEqual([400, 'Unrecognised nonce']);
    await app.close();
  });
});
