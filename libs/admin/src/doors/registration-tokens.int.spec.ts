import { afterEach, beforeEach, expect, it } from 'vitest';
import { registerAdmin, SHARED_SECRET } from '#testing/register-admin';
import { type RoomsAnswer, type RoomsApp, startRoomsApp } from '#testing/rooms-app';

let app: RoomsApp;
let admin: string;
beforeEach(async () => {
  app = await startRoomsApp([], { ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET, ANNALS_REGISTRATION: 'token' });
  admin = await registerAdmin(app);
});
afterEach(() => app.close());

const tokens = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object, token = admin) =>
  app.call(method, `/_synapse/admin/v1/registration_tokens${path}`, { token, body });
const isValid = async (token: string): Promise<boolean> =>
  (await app.call('GET', `/_matrix/client/v1/register/m.login.registration_token/validity?token=${token}`)).body.valid;
async function register(username: string, token: string): Promise<RoomsAnswer> {
  const path = '/_matrix/client/v3/register';
  const account = { username, password: 'a password' };
  const { session } = (await app.call('POST', path, { body: account })).body;
  const auth = { type: 'm.login.registration_token', token, session };
  return app.call('POST', path, { body: { ...account, auth } });
}

it('tokens are made, used so often, listed, given other limits, and withdrawn', async () => {
  const made = { token: 'abcd', uses_allowed: 1, pending: 0, completed: 0, expiry_time: null };
  expect(await tokens('POST', '/new', { token: 'abcd', uses_allowed: 1 })).toEqual({ status: 200, body: made });
  expect((await tokens('GET', '/abcd')).body).toEqual(made);
  expect(await isValid('abcd')).toBe(true);
  expect((await register('alice', 'abcd')).status).toBe(200);
  expect((await tokens('GET', '/abcd')).body).toEqual({ ...made, completed: 1 });
  expect(await isValid('abcd')).toBe(false);
  expect((await register('bob', 'abcd')).status).not.toBe(200);
  const { body: other } = await tokens('POST', '/new', { expiry_time: Date.now() + 3_600_000 });
  expect(other).toMatchObject({ token: expect.stringMatching(/^.{8,}$/), uses_allowed: null });
  const listed = async (query = ''): Promise<string[]> =>
    (await tokens('GET', query)).body.registration_tokens.map(({ token }: { token: string }) => token);
  expect(await listed()).toEqual(['abcd', other.token]);
  expect(await listed('?valid=true')).toEqual([other.token]);
  expect(await listed('?valid=false')).toEqual(['abcd']);
  expect((await tokens('PUT', '/abcd', { uses_allowed: null })).body).toEqual({
    ...made,
    uses_allowed: null,
    completed: 1,
  });
  expect((await register('bob', 'abcd')).status).toBe(200);
  const end = Date.now() + 60_000;
  expect((await tokens('PUT', '/abcd', { expiry_time: end })).body).toMatchObject({
    uses_allowed: null,
    expiry_time: end,
  });
  expect(await tokens('DELETE', '/abcd')).toEqual({ status: 200, body: {} });
  expect(await isValid('abcd')).toBe(false);
  expect((await tokens('GET', '/abcd')).status).toBe(404);
  expect((await tokens('PUT', '/abcd', { uses_allowed: 3 })).status).toBe(404);
  expect((await tokens('DELETE', '/abcd')).status).toBe(404);
  expect(await listed()).toEqual([other.token]);
  // The text is free again, for a token that has nothing of the one before.
  expect(await tokens('POST', '/new', { token: 'abcd', uses_allowed: 1 })).toEqual({ status: 200, body: made });
  expect(await listed()).toEqual([other.token, 'abcd']);
  expect((await register('carol', 'abcd')).status).toBe(200);
  expect((await register('dan', 'abcd')).status).not.toBe(200);
  expect((await tokens('GET', '/abcd')).body).toEqual({ ...made, completed: 1 });
});

it.each([1, 8, 64])('tokens that are made up are as long as asked for: %i', async (length) => {
  const { status, body } = await tokens('POST', '/new', { length });
  expect([status, body.token]).toEqual([200, expect.stringMatching(new RegExp(`^[\\w-]{${length}}$`))]);
  expect((await tokens('GET', `/${body.token}`)).body).toEqual(body);
});

it('what is no token is refused, and nobody but administrators is let near them', async () => {
  for (const body of [
    { token: 'ä' },
    { token: 'x'.repeat(65) },
    { token: '' },
    { uses_allowed: -1 },
    { uses_allowed: 'many' },
    { expiry_time: 1 },
    { length: 0 },
    { length: 65 },
    { length: 'long' },
  ]) {
    expect([body, (await tokens('POST', '/new', body)).status]).toEqual([body, 400]);
  }
  await tokens('POST', '/new', { token: 'abcd' });
  expect(await tokens('POST', '/new', { token: 'abcd' })).toMatchObject({
    status: 400,
    body: { errcode: 'M_INVALID_PARAM' },
  });
  expect(await tokens('PUT', '/abcd', { expiry_time: 1 })).toMatchObject({ status: 400 });
  const { access_token: alice } = (await register('alice', 'abcd')).body;
  for (const [method, path, body] of [
    ['GET', ''],
    ['POST', '/new', {}],
    ['GET', '/abcd'],
    ['PUT', '/abcd', {}],
    ['DELETE', '/abcd'],
  ] as const) {
    expect([path, (await tokens(method, path, body, alice)).body.errcode]).toEqual([path, 'M_FORBIDDEN']);
  }
});
