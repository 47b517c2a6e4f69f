import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { askV1, V1, V3 } from './support/dialects.js';
import { type Answer, Homeserver, passwordOf } from './support/homeserver.js';

// The server is started again.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const HOUR_MS = 3_600_000;
/** A program that is run with this sees the clock of a machine on which it is so much later. */
const later = (ms: number): string => {
  const script = `const now = Date.now; Date.now = () => now() + ${ms};`;
  return `--import=data:text/javascript,${encodeURIComponent(script)}`;
};

let server: Homeserver;

beforeAll(async () => {
  server = await Homeserver.start();
});
afterAll(() => server.remove());

const post = (path: string, body: object, token?: string): Promise<Answer> =>
  server.request('POST', path, { body, ...(token === undefined ? {} : { token }) });
const refresh = (token: string): Promise<Answer> => post(`${V3}/refresh`, { refresh_token: token });
const whoami = (token: string): Promise<Answer> => server.request('GET', `${V3}/account/whoami`, { token });
const statusOf = async (token: string): Promise<number> => (await whoami(token)).status;
const rejection = ({ status, body }: Answer) => [status, body.errcode, body.soft_logout ?? false];
const UNKNOWN = [401, 'M_UNKNOWN_TOKEN', false];
const EXPIRED = [401, 'M_UNKNOWN_TOKEN', true];

/** Logs in by an application that can refresh its tokens. */
async function logIn(user: string): Promise<Answer['body']> {
  const wanted = { type: 'm.login.password', user, password: passwordOf(user), refresh_token: true };
  const { body } = await post(`${V3}/login`, wanted);
  expect(body).toMatchObject({ expires_in_ms: HOUR_MS, refresh_token: expect.any(String) });
  return body;
}

it('tokens that are refreshed stay good until one of the new ones is used, and then no more', async () => {
  await server.register('ann');
  const first = await logIn('ann');
  const lost = (await refresh(first.refresh_token)).body;
  const second = (await refresh(first.refresh_token)).body;
  expect(second).toEqual({
    access_token: expect.any(String),
    refresh_token: expect.any(String),
    expires_in_ms: HOUR_MS,
  });
  expect(rejection(await whoami(lost.access_token))).toEqual(UNKNOWN);
  expect(await statusOf(first.access_token)).toBe(200);
  expect((await whoami(second.access_token)).body).toMatchObject({ device_id: first.device_id });
  await expect.poll(() => statusOf(first.access_token)).toBe(401);
  for (const used of [first.refresh_token, lost.refresh_token, 'made up', second.access_token])
    expect(rejection(await refresh(used))).toEqual(UNKNOWN);
  // Whoever comes with an old one ends nothing.
  expect(await statusOf(second.access_token)).toBe(200);
  const third = (await refresh(second.refresh_token)).body;
  expect(await statusOf(third.access_token)).toBe(200);
});

it('a token whose hour is over says so in both dialects, and its session goes on by a refresh, after a crash too', async () => {
  const ben = await server.register('ben');
  const byV1 = (await post(`${V1}/login`, { type: 'm.login.password', user: 'ben', password: passwordOf('ben') })).body;
  const session = await logIn('ben');
  const room = await ben.createRoom();
  expect(await statusOf(session.access_token)).toBe(200);
  await server.end('SIGKILL');
  server.set({ NODE_OPTIONS: later(HOUR_MS + 1000) });
  await server.start();

  expect(rejection(await whoami(session.access_token))).toEqual(EXPIRED);
  const asV1 = { server, token: String(session.access_token) };
  expect(rejection(await askV1(asV1, 'GET', '/events?timeout=0'))).toEqual(EXPIRED);
  expect(rejection(await askV1(asV1, 'GET', `/rooms/${encodeURIComponent(room)}/messages`))).toEqual(EXPIRED);
  // Of who cannot refresh it a token has no end.
  expect(await statusOf(ben.token)).toBe(200);
  expect((await askV1({ server, token: byV1.access_token }, 'GET', '/events?timeout=0')).status).toBe(200);

  const next = (await refresh(session.refresh_token)).body;
  expect((await whoami(next.access_token)).body).toMatchObject({
    user_id: ben.userId,
    device_id: session.device_id,
  });
  const { devices } = await ben.ok('GET', '/devices');
  expect(devices).toHaveLength(3);
});

it('a session that is over is not softly so, nor by its refresh token', async () => {
  const cid = await server.register('cid');
  for (const end of [
    ({ access_token: token }: Answer['body']) => post(`${V3}/logout`, {}, token),
    ({ access_token: token }: Answer['body']) => askV1({ server, token }, 'POST', '/logout', {}),
    ({ device_id: device }: Answer['body']) => {
      const auth = { type: 'm.login.password', user: 'cid', password: passwordOf('cid') };
      return cid.request('DELETE', `/devices/${device}`, { auth });
    },
  ]) {
    const session = await logIn('cid');
    expect((await end(session)).status).toBe(200);
    expect(rejection(await whoami(session.access_token))).toEqual(UNKNOWN);
    expect(rejection(await refresh(session.refresh_token))).toEqual(UNKNOWN);
  }
});
