import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AccountsApp, startAccountsApp } from '#testing/accounts-app';

const V3 = '/_matrix/client/v3';

const auth = (user: string, password = 'secret') => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user },
  password,
});

describe('sessions', () => {
  let app: AccountsApp;
  let counter = 0;
  beforeAll(async () => void (app = await startAccountsApp()));
  afterAll(() => app.close());

  const newUser = async (): Promise<{ userId: string; token: string; deviceId: string }> => {
    const body = { auth: { type: 'm.login.dummy' }, username: `user${++counter}`, password: 'secret' };
    const answer = (await app.call('POST', `${V3}/register`, { body })).body;
    return {
      userId: String(answer['user_id']),
      token: String(answer['access_token']),
      deviceId: String(answer['device_id']),
    };
  };
  const login = (user: string, password = 'secret', options: object = {}) =>
    app.call('POST', `${V3}/login`, {
      body: { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password, ...options },
    });
  const refresh = (text: unknown) => app.call('POST', `${V3}/refresh`, { body: { refresh_token: text } });
  const whoami = (token: unknown) => app.call('GET', `${V3}/account/whoami`, { token: String(token) });

  it('open by user id, by localpart, in any case, and in the form of older clients', async () => {
    const { userId } = await newUser();
    for (const user of [
      userId,
      userId.slice(1, userId.indexOf(':')),
      userId.toUpperCase().replace('EXAMPLE.ORG', 'example.org'),
    ]) {
      expect((await login(user)).body).toMatchObject({ user_id: userId, home_server: 'example.org' });
    }
    const old = await app.call('POST', `${V3}/login`, {
      body: { type: 'm.login.password', user: userId, password: 'secret', device_id: 'mine' },
    });
    expect(old.body).toMatchObject({ user_id: userId, device_id: 'mine' });
  });

  it('are refused alike for a wrong password, an unknown user and another server', async () => {
    const { userId } = await newUser();
    const answers = [
      await login(userId, 'wrong'),
      await login('nobody'),
      await login('@user1:elsewhere.org'),
      await app.call('POST', `${V3}/login`, {
        body: { type: 'm.login.password', medium: 'email', address: 'a@example.org', password: 'secret' },
      }),
    ];
    for (const { status, body } of answers) {
      expect(status).toBe(403);
      expect(body).toEqual({ errcode: 'M_FORBIDDEN', error: 'Unknown user or wrong password' });
    }
    const unknown = await app.call('POST', `${V3}/login`, { body: { type: 'm.login.oracle' } });
    expect([unknown.status, unknown.body['errcode']]).toEqual([400, 'M_UNKNOWN']);
    expect((await app.call('GET', `${V3}/login`)).body).toEqual({
      flows: [{ type: 'm.login.password' }, { type: 'm.login.token', get_login_token: true }],
    });
  });

  it('need a token that is known', async () => {
    const missing = await app.call('GET', `${V3}/account/whoami`);
    expect([missing.status, missing.body['errcode']]).toEqual([401, 'M_MISSING_TOKEN']);
    const bad = await whoami('madeup');
    expect(bad.body).toEqual({ errcode: 'M_UNKNOWN_TOKEN', error: expect.any(String) });
  });

  it('replace one another on the same device', async () => {
    const { userId, token, deviceId } = await newUser();
    const second = await login(userId, 'secret', { device_id: deviceId, initial_device_display_name: 'ignored' });
    expect((await whoami(token)).status).toBe(401);
    expect((await whoami(second.body['access_token'])).status).toBe(200);
  });

  it('end with logout, and all of them with logout/all', async () => {
    const { userId, token, deviceId } = await newUser();
    const other = String((await login(userId)).body['access_token']);
    await whoami(token);
    expect((await app.call('POST', `${V3}/logout`, { token })).status).toBe(200);
    expect((await whoami(token)).body['errcode']).toBe('M_UNKNOWN_TOKEN');
    const { devices } = (await app.call('GET', `${V3}/devices`, { token: other })).body;
    expect(devices).toHaveLength(1);
    expect(JSON.stringify(devices)).not.toContain(deviceId);
    const third = String((await login(userId)).body['access_token']);
    expect((await app.call('POST', `${V3}/logout/all`, { token: other, body: {} })).status).toBe(200);
    for (const gone of [other, third]) expect((await whoami(gone)).status).toBe(401);
  });

  it('can be refreshed: the old tokens stay good until a new one is used', async () => {
    const { userId } = await newUser();
    const first = (await login(userId, 'secret', { refresh_token: true })).body;
    expect(first['expires_in_ms']).toBe(3_600_000);
    const lost = (await refresh(first['refresh_token'])).body;
    const second = (await refresh(first['refresh_token'])).body;
    expect((await whoami(lost['access_token'])).status).toBe(401);
    expect((await whoami(first['access_token'])).status).toBe(200);
    expect((await whoami(second['access_token'])).status).toBe(200);
    await expect.poll(async () => (await whoami(first['access_token'])).status).toBe(401);
    const reused = await refresh(first['refresh_token']);
    expect([reused.status, reused.body['errcode']]).toEqual([401, 'M_UNKNOWN_TOKEN']);
    expect((await refresh(second['refresh_token'])).status).toBe(200);
  });

  it('softly log out a client whose access token has expired', async () => {
    const { userId } = await newUser();
    const session = (await login(userId, 'secret', { refresh_token: true })).body;
    expect((await whoami(session['access_token'])).status).toBe(200);
    app.time.now += 3_600_001;
    const expired = await whoami(session['access_token']);
    expect(expired.status).toBe(401);
    expect(expired.body).toMatchObject({ errcode: 'M_UNKNOWN_TOKEN', soft_logout: true });
    const next = await app.call('POST', `${V3}/refresh`, { body: { refresh_token: session['refresh_token'] } });
    expect((await whoami(next.body['access_token'])).status).toBe(200);
  });

  it('are ended by a token that has expired, and none but its own', async () => {
    const { userId, token: other } = await newUser();
    const session = (await login(userId, 'secret', { refresh_token: true })).body;
    const token = String(session['access_token']);
    app.time.now += 3_600_001;
    const all = await app.call('POST', `${V3}/logout/all`, { token });
    expect([all.status, all.body]).toMatchObject([401, { soft_logout: true }]);
    expect((await app.call('POST', `${V3}/logout`, { token })).status).toBe(200);
    const { devices } = (await app.call('GET', `${V3}/devices`, { token: other })).body;
    expect(devices).toMatchObject([{ device_id: expect.not.stringMatching(`^${String(session['device_id'])}$`) }]);
    const again = await app.call('POST', `${V3}/logout`, { token });
    expect([again.status, again.body['errcode'], again.body['soft_logout']]).toEqual([
      401,
      'M_UNKNOWN_TOKEN',
      undefined,
    ]);
    const refreshed = await app.call('POST', `${V3}/refresh`, { body: { refresh_token: session['refresh_token'] } });
    expect(refreshed.status).toBe(401);
  });

  it('end, but for the one that asks, when the password changes', async () => {
    const { userId, token } = await newUser();
    const other = String((await login(userId)).body['access_token']);
    const change = (password: string, next: object) =>
      app.call('POST', `${V3}/account/password`, { token, body: { auth: auth(userId, password), ...next } });
    expect((await change('wrong', { new_password: 'new' })).body['errcode']).toBe('M_FORBIDDEN');
    expect((await change('secret', { new_password: 'new', logout_devices: false })).status).toBe(200);
    expect((await whoami(other)).status).toBe(200);
    expect((await change('new', { new_password: 'newer' })).status).toBe(200);
    expect((await whoami(other)).status).toBe(401);
    expect((await whoami(token)).status).toBe(200);
    expect((await login(userId, 'new')).status).toBe(403);
    expect((await login(userId, 'newer')).status).toBe(200);
  });

  it('are no more once the account is deactivated, and its name is never given out again', async () => {
    const { userId, token } = await newUser();
    const url = `${V3}/account/deactivate`;
    await app.call('PUT', `${V3}/profile/${userId}/displayname`, { token, body: { displayname: 'Gone soon' } });
    await app.call('PUT', `${V3}/user/${userId}/account_data/a.b`, { token, body: { c: 1 } });
    const wrong = await app.call('POST', url, { token, body: { auth: auth(userId, 'wrong') } });
    expect(wrong.status).toBe(401);
    expect(wrong.body).toMatchObject({ errcode: 'M_FORBIDDEN', params: {}, completed: [], flows: expect.any(Array) });
    const done = await app.call('POST', url, { token, body: { auth: auth(userId), erase: true } });
    expect(done.body).toEqual({ id_server_unbind_result: 'success' });
    expect((await whoami(token)).status).toBe(401);
    expect((await login(userId)).status).toBe(403);
    expect((await app.call('GET', `${V3}/profile/${userId}`)).body).toEqual({});
    expect(await app.views.scan('account-data', { prefix: [userId], limit: 10 })).toEqual([]);
    const username = userId.slice(1, userId.indexOf(':'));
    expect((await app.call('GET', `${V3}/register/available?username=${username}`)).status).toBe(400);
  });

  it('show their devices, which can be renamed', async () => {
    const { userId, token } = await newUser();
    await login(userId, 'secret', { device_id: 'one', initial_device_display_name: 'display 1' });
    const { devices } = (await app.call('GET', `${V3}/devices`, { token })).body;
    expect(devices).toContainEqual({ device_id: 'one', display_name: 'display 1' });
    expect(devices).toContainEqual({
      device_id: expect.any(String),
      last_seen_ts: app.time.now,
      last_seen_ip: expect.any(String),
    });
    const one = `${V3}/devices/one`;
    expect((await app.call('PUT', one, { token, body: { display_name: 'renamed' } })).status).toBe(200);
    expect((await app.call('GET', one, { token })).body).toEqual({ device_id: 'one', display_name: 'renamed' });
    const unknown = `${V3}/devices/unknown`;
    expect((await app.call('GET', unknown, { token })).status).toBe(404);
    expect((await app.call('PUT', unknown, { token, body: { display_name: 'x' } })).status).toBe(404);
    expect((await app.call('PUT', unknown, { token, body: {} })).status).toBe(404);
  });

  it('lose devices only to who knows the password of the account', async () => {
    const [alice, eve] = [await newUser(), await newUser()];
    const other = String((await login(alice.userId, 'secret', { device_id: 'other' })).body['access_token']);
    const remove = (body?: object) => app.call('DELETE', `${V3}/devices/other`, { token: alice.token, body });
    expect((await remove()).status).toBe(401);
    expect((await remove({})).body).toEqual({
      session: expect.any(String),
      params: {},
      completed: [],
      flows: [{ stages: ['m.login.password'] }],
    });
    expect((await remove({ auth: auth(alice.userId, 'cashewnuts') })).body).toMatchObject({
      errcode: 'M_FORBIDDEN',
      session: expect.any(String),
    });
    const others = await remove({ auth: auth(eve.userId) });
    expect(others.status).toBe(403);
    // Whether it was theirs is told to nobody.
    expect(await remove({ auth: auth(eve.userId, 'cashewnuts') })).toMatchObject({ status: 403, body: others.body });
    expect((await whoami(other)).status).toBe(200);
    expect((await remove({ auth: auth(alice.userId) })).status).toBe(200);
    expect((await whoami(other)).status).toBe(401);
    expect((await remove({ auth: auth(alice.userId) })).status).toBe(200);
  });

  it('bind interactive authentication to the request it was begun for', async () => {
    const { userId, token } = await newUser();
    for (const id of ['a', 'b', 'c']) await login(userId, 'secret', { device_id: id });
    const { session } = (await app.call('DELETE', `${V3}/devices/a`, { token, body: {} })).body;
    const body = { auth: { ...auth(userId), session } };
    expect((await app.call('DELETE', `${V3}/devices/b`, { token, body })).status).toBe(403);
    expect((await app.call('GET', `${V3}/devices/b`, { token })).status).toBe(200);

    const many = `${V3}/delete_devices`;
    const begun = (await app.call('POST', many, { token, body: { devices: ['a', 'b'] } })).body;
    const done = await app.call('POST', many, {
      token,
      body: { auth: { ...auth(userId), session: begun['session'] } },
    });
    expect(done.status).toBe(200);
    expect((await app.call('GET', `${V3}/devices/a`, { token })).status).toBe(404);
    expect((await app.call('GET', `${V3}/devices/c`, { token })).status).toBe(200);
  });

  it('take stages that were completed on a fallback page, for the body that was shown then', async () => {
    const { userId, token } = await newUser();
    for (const id of ['a', 'b']) await login(userId, 'secret', { device_id: id });
    const many = `${V3}/delete_devices`;
    const { session } = (await app.call('POST', many, { token, body: { devices: ['a'] } })).body;
    const page = `/_matrix/client/v3/auth/m.login.password/fallback/web?session=${String(session)}`;
    const form = await app.call('GET', page);
    expect(form.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(form.text).toContain('name="password"');
    // Whoever was sent there reads what it is for.
    expect(form.text).toContain(`remove devices from your account <strong>${userId}</strong>`);
    expect((await app.call('POST', page, { raw: 'password=wrong' })).text).toContain('Invalid password');
    const done = await app.call('POST', page, { raw: 'password=secret' });
    expect(done.text).toContain("window.opener.postMessage('authDone', '*')");
    const other = await app.call('POST', many, { token, body: { devices: ['b'], auth: { session } } });
    expect(other.status).toBe(403);
    expect((await app.call('POST', many, { token, body: { auth: { session } } })).status).toBe(200);
    expect((await app.call('GET', `${V3}/devices/a`, { token })).status).toBe(404);
    expect((await app.call('GET', '/_matrix/client/v3/auth/m.login.sso/fallback/web?session=x')).status).toBe(404);
    // It is read by a person, once it is over, too.
    for (const method of ['GET', 'POST'] as const) {
      const over = await app.call(method, page, method === 'GET' ? {} : { raw: 'password=secret' });
      expect([over.status, over.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8']);
      expect(over.text).toContain('Begin again in your application');
    }
  });
});
