import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppServices } from '#config/appservices/app-services';
import type { UserId } from '#kernel/ids';
import type { AccountsApp } from '#testing/accounts-app';
import { BY_SERVICE, OTHER, startWithServices } from '#testing/accounts-with-services';
import { ActingServices } from '../sessions/acting-services.js';

const V3 = '/_matrix/client/v3';

let app: AccountsApp;

beforeAll(async () => {
  app = await startWithServices();
});
afterAll(() => app.close());

describe('a service that may act as everybody', () => {
  const as = (user: string, path: string): string => `${V3}/${path}?user_id=@${user}:example.org`;
  const ask = (method: 'POST' | 'GET' | 'PUT' | 'DELETE', path: string, body?: object) =>
    app.call(method, path, { token: OTHER, body });
  let phone: string;

  beforeAll(async () => {
    const person = { username: 'person', password: 'a password', auth: { type: 'm.login.dummy' }, device_id: 'PHONE' };
    phone = (await app.call('POST', `${V3}/register`, { body: person })).body['access_token'] as string;
    const { nonce } = (await app.call('GET', '/_synapse/admin/v1/register')).body;
    const words = [nonce, 'boss', 'a password', 'admin'].join('\0');
    const mac = createHmac('sha1', 'a shared secret').update(words).digest('hex');
    const boss = { nonce, username: 'boss', password: 'a password', admin: true, mac };
    expect((await app.call('POST', '/_synapse/admin/v1/register', { body: boss })).status).toBe(200);
  });

  it('speaks for people', async () => {
    expect((await ask('GET', as('person', 'account/whoami'))).body['user_id']).toBe('@person:example.org');
    const name = await ask('PUT', as('person', 'profile/@person:example.org/displayname'), { displayname: 'Person' });
    expect(name.status).toBe(200);
  });

  it.each([
    ['close their accounts', 'POST', 'account/deactivate', { erase: true }],
    ['delete their devices', 'DELETE', 'devices/PHONE', {}],
    ['delete many of them', 'POST', 'delete_devices', { devices: ['PHONE'] }],
    ['rename them', 'PUT', 'devices/PHONE', { display_name: 'of the service' }],
    ['make others', 'PUT', 'devices/NEW', {}],
    ['see from where they come', 'GET', 'devices', undefined],
    ['see from where one comes', 'GET', 'devices/PHONE', undefined],
    ['see who they are', 'GET', 'admin/whois/@person:example.org', undefined],
    ['prove to others that it is them', 'POST', 'user/@person:example.org/openid/request_token', {}],
  ] as const)('does not %s, whatever it shows', async (_, method, path, body) => {
    const auth = { type: 'm.login.password', user: 'person', password: 'a password' };
    for (const user of ['person', 'boss']) {
      const { status, body: answer } = await ask(method, as(user, path), body && { ...body, auth });
      expect([status, answer['errcode']]).toEqual([403, 'M_FORBIDDEN']);
    }
    const { status, body: device } = await app.call('GET', `${V3}/devices/PHONE`, { token: phone });
    expect([status, device['display_name']]).toEqual([200, undefined]);
  });

  it('does not end their sessions or act on their devices', async () => {
    const forbidden = { status: 403, body: { errcode: 'M_FORBIDDEN' } };
    expect(await ask('POST', as('person', 'logout/all'), {})).toMatchObject(forbidden);
    expect(await ask('POST', `${as('person', 'logout')}&device_id=PHONE`, {})).toMatchObject(forbidden);
    expect((await app.call('GET', `${V3}/account/whoami`, { token: phone })).status).toBe(200);
  });

  it('logs in as them on devices that are new, and takes none over', async () => {
    const logIn = (more: object) =>
      ask('POST', `${V3}/login`, { type: BY_SERVICE, identifier: { type: 'm.id.user', user: 'person' }, ...more });
    expect(await logIn({ device_id: 'PHONE' })).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
    expect((await app.call('GET', `${V3}/account/whoami`, { token: phone })).status).toBe(200);
    expect(await logIn({ device_id: 'PUPPET' })).toMatchObject({ status: 200, body: { device_id: 'PUPPET' } });
    expect((await logIn({})).status).toBe(200);
    expect((await logIn({ device_id: 'PUPPET' })).status).toBe(200);
  });

  it('may by such a session do what it may by its own token, which ends with its registration', async () => {
    const { body } = await ask('POST', `${V3}/login`, {
      type: BY_SERVICE,
      identifier: { type: 'm.id.user', user: 'person' },
      refresh_token: true,
    });
    const token = body['access_token'] as string;
    const refresh = { refresh_token: body['refresh_token'] as string };
    const by = (method: 'GET' | 'POST', path: string, more?: object) =>
      app.call(method, `${V3}/${path}`, { token, body: more });
    expect((await by('GET', 'account/whoami')).body['user_id']).toBe('@person:example.org');
    const forbidden = { status: 403, body: { errcode: 'M_FORBIDDEN' } };
    expect(await by('POST', 'logout/all', {})).toMatchObject(forbidden);
    expect(await by('GET', 'devices')).toMatchObject(forbidden);
    const services = app.get(AppServices);
    const before = services.all;
    services.replace(before.filter(({ id }) => id !== 'helper'));
    const unknown = { status: 401, body: { errcode: 'M_UNKNOWN_TOKEN' } };
    expect(await by('GET', 'account/whoami')).toMatchObject(unknown);
    expect(await app.call('POST', `${V3}/refresh`, { body: refresh })).toMatchObject(unknown);
    services.replace(before);
    expect((await app.call('POST', `${V3}/refresh`, { body: refresh })).status).toBe(200);
    expect((await by('POST', 'logout', {})).status).toBe(200);
    expect((await by('GET', 'account/whoami')).status).toBe(401);
    expect((await app.call('GET', `${V3}/account/whoami`, { token: phone })).status).toBe(200);
  });

  it('takes over the devices of its own users', async () => {
    const own = { type: BY_SERVICE, username: 'ghost', device_id: 'ITS' };
    expect((await ask('POST', `${V3}/register`, own)).status).toBe(200);
    const again = { type: BY_SERVICE, identifier: { type: 'm.id.user', user: 'ghost' }, device_id: 'ITS' };
    expect((await ask('POST', `${V3}/login`, again)).status).toBe(200);
  });

  it('has not the rights of administrators, and opens no session that has', async () => {
    const { isAdmin } = await app
      .get(ActingServices)
      .requesterFor(app.get(AppServices).find('helper')!, '@boss:example.org' as UserId, undefined);
    expect(isAdmin).toBe(false);
    const body = { type: BY_SERVICE, identifier: { type: 'm.id.user', user: 'boss' } };
    expect(await ask('POST', `${V3}/login`, body)).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
  });

  it('does not act as users that another service keeps for itself, nor as its sender', async () => {
    for (const user of ['_bridge_alice', '_bridge_bot']) {
      expect(await ask('GET', as(user, 'account/whoami'))).toMatchObject({
        status: 403,
        body: { errcode: 'M_FORBIDDEN' },
      });
    }
  });

  it('may as a guest what guests may', async () => {
    const { user_id: guest } = (await app.call('POST', `${V3}/register?kind=guest`, { body: {} })).body;
    const { body } = await ask('GET', `${V3}/account/whoami?user_id=${String(guest)}`);
    expect(body).toMatchObject({ user_id: guest, is_guest: true });
    const threepids = await ask('GET', `${V3}/account/3pid?user_id=${String(guest)}`);
    expect(threepids.body['errcode']).toBe('M_GUEST_ACCESS_FORBIDDEN');
  });

  it('guesses passwords no more often than others', async () => {
    const guess = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'person' }, password: 'wrong' };
    let last = 0;
    for (let i = 0; i < 15; i++) last = (await ask('POST', `${V3}/login`, guess)).status;
    expect(last).toBe(429);
  });

  it('knows no more of a password than whoever has stolen a token, who guesses as seldom', async () => {
    const auth = { type: 'm.login.password', user: 'person', password: 'wrong' };
    let last = 0;
    for (let i = 0; i < 15; i++) {
      last = (await app.call('DELETE', `${V3}/devices/PHONE`, { token: phone, body: { auth } })).status;
    }
    expect(last).toBe(429);
  });
});
