import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppServices } from '#config/appservices/app-services';
import type { UserId } from '#kernel/ids';
import { type AccountsApp, startAccountsApp } from '#testing/accounts-app';
import { writeRegistration } from '#testing/registration-file';
import { ActingServices } from '../sessions/acting-services.js';

const V3 = '/_matrix/client/v3';
const TOKEN = 'token-of-the-service';
const OTHER = 'token-of-another';
const BY_SERVICE = 'm.login.application_service';

let app: AccountsApp;

beforeAll(async () => {
  const bridge = writeRegistration();
  const helper = writeRegistration({
    id: 'helper',
    as_token: OTHER,
    sender_localpart: 'helper',
    rate_limited: false,
    namespaces: { users: [{ exclusive: false, regex: '@.*' }] },
  });
  const settings = { ANNALS_RATE_LIMITS: 'on', ANNALS_REGISTRATION_SHARED_SECRET: 'a shared secret' };
  app = await startAccountsApp({ ANNALS_APPSERVICES: `${bridge},${helper}`, ...settings });
  const ghost = { type: BY_SERVICE, username: '_bridge_alice' };
  expect((await app.call('POST', `${V3}/register`, { token: TOKEN, body: ghost })).status).toBe(200);
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
  ] as const)('does not %s', async (_, method, path, body) => {
    for (const user of ['person', 'boss']) {
      const { status, body: answer } = await ask(method, as(user, path), body);
      expect([status, answer['flows']]).toEqual([401, [{ stages: ['m.login.password'] }]]);
    }
    expect((await app.call('GET', `${V3}/devices/PHONE`, { token: phone })).status).toBe(200);
  });

  it('does not end their sessions, act on their devices or make others', async () => {
    const forbidden = { status: 403, body: { errcode: 'M_FORBIDDEN' } };
    expect(await ask('POST', as('person', 'logout/all'), {})).toMatchObject(forbidden);
    expect(await ask('POST', `${as('person', 'logout')}&device_id=PHONE`, {})).toMatchObject(forbidden);
    expect((await ask('PUT', as('person', 'devices/NEW'), {})).status).toBe(404);
    expect((await app.call('GET', `${V3}/account/whoami`, { token: phone })).status).toBe(200);
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
    const auth = { ...guess, user: 'person' };
    const lastOf = async (guessing: () => Promise<{ status: number }>): Promise<number> => {
      let last = 0;
      for (let i = 0; i < 15; i++) last = (await guessing()).status;
      return last;
    };
    expect(await lastOf(() => ask('POST', `${V3}/login`, guess))).toBe(429);
    expect(await lastOf(() => ask('DELETE', as('person', 'devices/PHONE'), { auth }))).toBe(429);
    expect(await lastOf(() => ask('POST', as('person', 'account/password'), { auth }))).toBe(429);
  });
});
