import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AppServices } from '#config/appservices/app-services';
import type { AccountsApp } from '#testing/accounts-app';
import { BY_SERVICE, OTHER, startWithServices, TOKEN } from '#testing/accounts-with-services';

const V3 = '/_matrix/client/v3';

let app: AccountsApp;

beforeAll(async () => {
  app = await startWithServices();
});
afterAll(() => app.close());

const registerByService = (token: string | undefined, username: string, more: object = {}) =>
  app.call('POST', `${V3}/register`, { token, body: { type: BY_SERVICE, username, ...more } });
const asAlice = (path: string): string => `${path}?user_id=@_bridge_alice:example.org`;

describe('registration by an application service', () => {
  it('makes an account with a session, without a password', async () => {
    const { status, body } = await registerByService(TOKEN, '_bridge_bob', { device_id: 'ONE' });
    expect([status, body]).toEqual([
      200,
      expect.objectContaining({
        user_id: '@_bridge_bob:example.org',
        device_id: 'ONE',
        access_token: expect.any(String),
      }),
    ]);
    const whoami = await app.call('GET', `${V3}/account/whoami`, { token: body['access_token'] as string });
    expect(whoami.body).toMatchObject({ user_id: '@_bridge_bob:example.org', device_id: 'ONE' });
  });

  it('says that the service is there, as whatever it asks does', async () => {
    const heard: string[] = [];
    app.get(AppServices).onHeard(({ id }) => heard.push(id));
    await app.call('GET', `${V3}/account/whoami`, { token: OTHER });
    await registerByService(OTHER, 'loud');
    expect(heard).toEqual(['helper', 'helper']);
  });

  it('opens no session where none is wanted', async () => {
    const { body } = await registerByService(TOKEN, '_bridge_carol', { inhibit_login: true });
    expect(body).toEqual({ user_id: '@_bridge_carol:example.org', home_server: 'example.org' });
  });

  it('is there in the API of 2015', async () => {
    const body = { type: BY_SERVICE, user: '_bridge_dora' };
    const answer = await app.call('POST', `/_matrix/client/api/v1/register?access_token=${TOKEN}`, { body });
    expect(answer.body).toMatchObject({ user_id: '@_bridge_dora:example.org', access_token: expect.any(String) });
  });

  it.each([
    ['outside of its namespaces', TOKEN, 'erin', 400, 'M_EXCLUSIVE'],
    ["inside of another's", OTHER, '_bridge_erin', 400, 'M_EXCLUSIVE'],
    ['of a user that is there', TOKEN, '_bridge_alice', 400, 'M_USER_IN_USE'],
    ['without a token', undefined, '_bridge_erin', 401, 'M_MISSING_TOKEN'],
    ['with a token of nobody', 'of-nobody', '_bridge_erin', 401, 'M_UNKNOWN_TOKEN'],
  ])('is refused %s', async (_, token, username, status, errcode) => {
    expect(await registerByService(token, username)).toMatchObject({ status, body: { errcode } });
  });

  it('is not counted', async () => {
    for (let i = 0; i < 20; i++) expect((await registerByService(OTHER, `puppet${i}`)).status).toBe(200);
  });
});

describe('a user id that a service keeps for itself', () => {
  const refused = { status: 400, body: { errcode: 'M_EXCLUSIVE' } };

  it('is nobody else’s to register, as is its sender', async () => {
    for (const username of ['_bridge_erin', '_bridge_bot']) {
      const body = { username, password: 'a password', auth: { type: 'm.login.dummy' } };
      expect(await app.call('POST', `${V3}/register`, { body })).toMatchObject(refused);
    }
  });

  it('is not available', async () => {
    expect(await app.call('GET', `${V3}/register/available?username=_bridge_erin`)).toMatchObject(refused);
  });
});

describe('login by an application service', () => {
  const logIn = (token: string | undefined, user: string) =>
    app.call('POST', `${V3}/login`, { token, body: { type: BY_SERVICE, identifier: { type: 'm.id.user', user } } });

  it('is one of the flows, and opens a session', async () => {
    expect((await app.call('GET', `${V3}/login`)).body['flows']).toContainEqual({ type: BY_SERVICE });
    const { body } = await logIn(TOKEN, '_bridge_alice');
    const whoami = await app.call('GET', `${V3}/account/whoami`, { token: body['access_token'] as string });
    expect(whoami.body['user_id']).toBe('@_bridge_alice:example.org');
  });

  it.each([
    ['of a user outside of its namespaces', TOKEN, 'helper', 400, 'M_EXCLUSIVE'],
    ["of another's user", OTHER, '_bridge_alice', 400, 'M_EXCLUSIVE'],
    ['of somebody elsewhere', TOKEN, '@_bridge_alice:elsewhere.org', 400, 'M_EXCLUSIVE'],
    ['of nobody', TOKEN, '_bridge_nobody', 403, 'M_FORBIDDEN'],
    ['without a token', undefined, '_bridge_alice', 401, 'M_MISSING_TOKEN'],
    ['with a token of nobody', 'of-nobody', '_bridge_alice', 403, 'M_FORBIDDEN'],
  ])('is refused %s', async (_, token, user, status, errcode) => {
    expect(await logIn(token, user)).toMatchObject({ status, body: { errcode } });
  });
});

describe('who asks by the token of a service', () => {
  const whoami = (query: string) => app.call('GET', `${V3}/account/whoami${query}`, { token: TOKEN });

  it('is its sender, whose account begins then', async () => {
    const { body } = await whoami('');
    expect(body).toEqual({ user_id: '@_bridge_bot:example.org', is_guest: false });
    expect((await whoami('?user_id=@_bridge_bot:example.org')).body).toEqual(body);
  });

  it('is the user that it names', async () => {
    expect((await whoami('?user_id=@_bridge_alice:example.org')).body['user_id']).toBe('@_bridge_alice:example.org');
  });

  it.each([
    ['?user_id=@puppet1:example.org', 403, 'M_FORBIDDEN'],
    ['?user_id=@_bridge_alice:elsewhere.org', 403, 'M_FORBIDDEN'],
    ['?user_id=@_bridge_nobody:example.org', 403, 'M_FORBIDDEN'],
    ['?user_id=alice', 400, 'M_INVALID_PARAM'],
    ['?user_id=@_bridge_alice:example.org&user_id=@_bridge_bob:example.org', 400, 'M_INVALID_PARAM'],
    ['?user_id=@_bridge_alice:example.org&device_id=NONE', 400, 'M_UNKNOWN_DEVICE'],
    ['?device_id=NONE', 400, 'M_UNKNOWN_DEVICE'],
  ])('is refused as %s', async (query, status, errcode) => {
    expect(await whoami(query)).toMatchObject({ status, body: { errcode } });
  });

  it('is a device of the user that it names, once it has made it', async () => {
    const put = () => app.call('PUT', asAlice(`${V3}/devices/MINE`), { token: TOKEN, body: { display_name: 'mine' } });
    expect((await put()).status).toBe(201);
    expect((await put()).status).toBe(200);
    for (const key of ['device_id', 'org.matrix.msc3202.device_id']) {
      const { body } = await whoami(`?user_id=@_bridge_alice:example.org&${key}=MINE`);
      expect(body['device_id']).toBe('MINE');
    }
    const path = asAlice(`${V3}/devices/MINE`);
    expect((await app.call('GET', path, { token: TOKEN })).body).toMatchObject({ display_name: 'mine' });
    expect((await app.call('DELETE', path, { token: TOKEN })).status).toBe(200);
    expect((await app.call('GET', path, { token: TOKEN })).status).toBe(404);
  });

  it('closes accounts of its users without a password', async () => {
    await registerByService(TOKEN, '_bridge_gone');
    const path = `${V3}/account/deactivate?user_id=@_bridge_gone:example.org`;
    expect((await app.call('POST', path, { token: TOKEN, body: {} })).status).toBe(200);
    expect(await whoami('?user_id=@_bridge_gone:example.org')).toMatchObject({
      body: { errcode: 'M_USER_DEACTIVATED' },
    });
  });

  it('reads of the log once who it is that acts', async () => {
    await whoami('?user_id=@_bridge_alice:example.org');
    const read = vi.spyOn(app.store, 'readStream');
    for (let i = 0; i < 5; i++) await whoami('?user_id=@_bridge_alice:example.org');
    expect(read.mock.calls.filter(([stream]) => stream.startsWith('user-'))).toEqual([]);
    read.mockRestore();
  });

  it.each([
    ['is counted as any user', TOKEN, '@_bridge_alice:example.org', 429],
    ['is not counted as the sender', TOKEN, '@_bridge_bot:example.org', 401],
    ['is not counted where the registration says so', OTHER, '@puppet1:example.org', 401],
  ])('%s', async (_, token, userId, status) => {
    const path = `${V3}/account/password?user_id=${userId}`;
    let last = 0;
    for (let i = 0; i < 25; i++) last = (await app.call('POST', path, { token, body: {} })).status;
    expect(last).toBe(status);
  });

  it('is unknown once the registration is gone', async () => {
    const services = app.get(AppServices);
    const before = services.all;
    services.replace([]);
    expect(await whoami('')).toMatchObject({ status: 401, body: { errcode: 'M_UNKNOWN_TOKEN' } });
    services.replace(before);
  });
});
