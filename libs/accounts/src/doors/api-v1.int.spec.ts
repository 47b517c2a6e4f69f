import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AccountsApp, startAccountsApp } from '#testing/accounts-app';
import { FirstRegistrationToken } from '../first-registration-token.js';

const V1 = '/_matrix/client/api/v1';
const PASSWORD = 'm.login.password';

describe('the API of 2015', () => {
  let app: AccountsApp;
  beforeAll(async () => void (app = await startAccountsApp()));
  afterAll(() => app.close());

  const register = (user?: string) =>
    app.call('POST', `${V1}/register`, { body: { type: PASSWORD, user, password: 'secret' } });

  it('registers and logs in by user name and password', async () => {
    expect((await app.call('GET', `${V1}/register`)).body).toEqual({ flows: [{ type: PASSWORD }] });
    const registered = await app.call('POST', `${V1}/register`, {
      body: { type: PASSWORD, user: 'Alice', password: 'secret' },
    });
    expect(registered.body).toEqual({
      user_id: '@alice:example.org',
      access_token: expect.any(String),
      home_server: 'example.org',
    });
    expect((await app.call('GET', `${V1}/login`)).body).toEqual({ flows: [{ type: PASSWORD }] });
    const login = { type: PASSWORD, user: '@ALICE:example.org', password: 'secret' };
    const loggedIn = await app.call('POST', `${V1}/login`, { body: login });
    expect(loggedIn.body).toEqual({
      user_id: '@alice:example.org',
      access_token: expect.any(String),
      home_server: 'example.org',
    });
  });

  it('refreshes the tokens of who asked for such, and has those of others hold', async () => {
    const body = { type: PASSWORD, user: 'dora', password: 'secret', refresh_token: true };
    const refreshable = {
      access_token: expect.any(String),
      refresh_token: expect.any(String),
      expires_in_ms: 3_600_000,
    };
    const whoami = async (token: unknown) =>
      (await app.call('GET', '/_matrix/client/v3/account/whoami', { token: String(token) })).status;
    const refresh = (refresh_token: unknown) => app.call('POST', `${V1}/tokenrefresh`, { body: { refresh_token } });
    const registered = await app.call('POST', `${V1}/register`, { body });
    expect(registered.body).toEqual({ ...refreshable, user_id: '@dora:example.org', home_server: 'example.org' });
    const { body: first } = await app.call('POST', `${V1}/login`, { body });
    expect(first).toMatchObject(refreshable);
    const { body: second } = await refresh(first['refresh_token']);
    expect(second).toEqual(refreshable);
    expect(await whoami(second['access_token'])).toBe(200);
    await expect.poll(() => whoami(first['access_token'])).toBe(401);
    const used = await refresh(first['refresh_token']);
    expect([used.status, used.body['errcode']]).toEqual([403, 'M_FORBIDDEN']);
    // They are of one kind with those of today.
    const today = await app.call('POST', '/_matrix/client/v3/refresh', {
      body: { refresh_token: second['refresh_token'] },
    });
    expect((await refresh(today.body['refresh_token'])).status).toBe(200);
    expect((await refresh('none')).body['errcode']).toBe('M_FORBIDDEN');
    for (const wrong of [await refresh(undefined), await refresh(1)]) expect(wrong.status).toBe(400);
    const asked = await app.call('POST', `${V1}/login`, { body: { ...body, refresh_token: 'yes' } });
    expect([asked.status, asked.body['errcode']]).toEqual([400, 'M_BAD_JSON']);
  });

  it('takes a user id as a user name, and refuses one that differs in case alone', async () => {
    expect((await register('@bob:example.org')).body['user_id']).toBe('@bob:example.org');
    expect((await register('BOB')).body['errcode']).toBe('M_USER_IN_USE');
    expect((await register('@bob:elsewhere.org')).body['errcode']).toBe('M_INVALID_USERNAME');
    expect((await register()).status).toBe(200);
  });

  it('refuses what it does not know, and what is missing', async () => {
    for (const path of ['register', 'login']) {
      const unknown = await app.call('POST', `${V1}/${path}`, { body: { type: 'm.login.oauth2' } });
      expect([unknown.status, unknown.body['errcode']]).toEqual([400, 'M_UNKNOWN']);
      const missing = await app.call('POST', `${V1}/${path}`, { body: { type: PASSWORD, user: 'x' } });
      expect([missing.status, missing.body['errcode']]).toEqual([400, 'M_MISSING_PARAM']);
      expect((await app.call('POST', `${V1}/${path}`, { body: {} })).body['errcode']).toBe('M_MISSING_PARAM');
    }
  });

  it('reads user ids in any case, and tokens in the query', async () => {
    const body = { type: PASSWORD, user: 'carol', password: 'secret' };
    const token = String((await app.call('POST', `${V1}/register`, { body })).body['access_token']);
    const url = `${V1}/profile/@CAROL:example.org/displayname`;
    const set = await app.call('PUT', `${url}?access_token=${token}`, { body: { displayname: 'Carol' } });
    expect(set.status).toBe(200);
    expect((await app.call('GET', url)).body).toEqual({ displayname: 'Carol' });
    expect((await app.call('GET', url.replace('api/v1', 'v3'))).status).toBe(200);
    expect((await app.call('GET', `${V1}/pushrules/?access_token=${token}`)).body).toHaveProperty('global.override');
  });

  it('logs out by a PUT with a transaction id, as every POST may be sent', async () => {
    const tokens: string[] = [];
    for (const path of ['register', 'login', 'login']) {
      const { body } = await app.call('POST', `${V1}/${path}`, {
        body: { type: PASSWORD, user: 'erin', password: 'secret' },
      });
      tokens.push(String(body['access_token']));
    }
    const logout = (path: string, token: string) => app.call('PUT', `${V1}/${path}`, { token, body: {} });
    const rules = async (token: string): Promise<number> =>
      (await app.call('GET', `${V1}/pushrules/`, { token })).status;
    expect((await logout('logout/1', tokens[0]!)).status).toBe(200);
    expect(await Promise.all(tokens.map(rules))).toEqual([401, 200, 200]);
    expect((await logout('logout/1', tokens[0]!)).status).toBe(401);
    expect((await logout('logout/all/1', tokens[1]!)).status).toBe(200);
    expect(await Promise.all(tokens.map(rules))).toEqual([401, 401, 401]);
  });

  it('asks for the registration token in a stage of its own, where one is needed', async () => {
    const closed = await startAccountsApp({ ANNALS_REGISTRATION: 'token' });
    let token: string | undefined;
    await closed.get(FirstRegistrationToken).issue((shown) => (token = shown));
    const post = (body: object) => closed.call('POST', `${V1}/register`, { body });
    const stage = 'm.login.registration_token';
    expect((await closed.call('GET', `${V1}/register`)).body).toEqual({
      flows: [{ type: stage, stages: [stage, PASSWORD] }],
    });
    const credentials = { type: PASSWORD, user: 'alice', password: 'secret' };
    expect((await post(credentials)).status).toBe(403);
    expect((await post({ type: stage, token: 'wrong' })).status).toBe(403);
    const { next, session } = (await post({ type: stage, token })).body;
    expect(next).toBe(PASSWORD);
    expect((await post({ ...credentials, user: 'no:name', session })).body['errcode']).toBe('M_INVALID_USERNAME');
    expect((await post({ ...credentials, session })).body['user_id']).toBe('@alice:example.org');
    expect((await post({ ...credentials, user: 'second', session })).status).toBe(403);
    expect((await post({ type: stage, token })).status).toBe(403);
    await closed.close();
  });
});
