import { afterEach, beforeEach, expect, it } from 'vitest';
import { registerAdmin, SHARED_SECRET } from '#testing/register-admin';
import { type RoomsAnswer, type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';

let app: RoomsApp;
let admin: string;
let bob: TestUser;
beforeEach(async () => {
  app = await startRoomsApp([], {
    ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET,
    ANNALS_RATE_LIMITS: 'on',
    ANNALS_RATE_LIMIT_FIGURES: 'report=2:0.01,login=1000:1000,password=3:0.01',
  });
  admin = await registerAdmin(app);
  bob = await app.register('bob');
});
afterEach(() => app.close());

const override = (method: 'GET' | 'POST' | 'DELETE', body?: object, token = admin, user = bob.userId) =>
  app.call(method, `/_synapse/admin/v1/users/${encodeURIComponent(user)}/override_ratelimit`, { token, body });
const report = (): Promise<RoomsAnswer> => bob.call('POST', '/users/@root:a.example/report', { reason: 'spam' });
/** How many of ten requests go on. */
async function granted(): Promise<number> {
  let count = 0;
  for (let i = 0; i < 10; i++) if ((await report()).status === 200) count++;
  return count;
}

it('an operator sees and sets how much a user may ask for, lifts it, and has that of everybody hold again', async () => {
  expect((await override('GET')).body).toEqual({});
  expect(await granted()).toBe(2);
  const lifted = { messages_per_second: 0, burst_count: 0 };
  expect(await override('POST')).toEqual({ status: 200, body: lifted });
  expect((await override('GET')).body).toEqual(lifted);
  expect(await granted()).toBe(10);
  const set = { messages_per_second: 1, burst_count: 4 };
  expect(await override('POST', set)).toEqual({ status: 200, body: set });
  expect((await override('GET')).body).toEqual(set);
  expect(await granted()).toBeLessThan(10);
  expect(await override('DELETE')).toEqual({ status: 200, body: {} });
  expect((await override('GET')).body).toEqual({});
  expect(await granted()).toBe(0);
});

it('nobody else does, and of nobody else than users of this server', async () => {
  for (const [token, user, refusal] of [
    [bob.token, bob.userId, [403, 'M_FORBIDDEN']],
    [admin, '@bob:b.example', [400, 'M_INVALID_PARAM']],
    [admin, '@nobody:a.example', [404, 'M_NOT_FOUND']],
  ] as const) {
    for (const method of ['GET', 'POST', 'DELETE'] as const) {
      const { status, body } = await override(method, method === 'POST' ? {} : undefined, token, user);
      expect([method, status, body.errcode]).toEqual([method, ...refusal]);
    }
  }
  for (const body of [{ messages_per_second: -1 }, { burst_count: 'many' }, { messages_per_second: 1.5 }]) {
    expect((await override('POST', body)).status).toBe(400);
  }
});

it('passwords of one account are guessed seldom, from however many addresses, also of none that is there', async () => {
  const login = async (user: string, password: string): Promise<number> =>
    (await app.call('POST', '/_matrix/client/v3/login', { body: { type: 'm.login.password', user, password } })).status;
  // Right ones do not count.
  for (let i = 0; i < 5; i++) expect(await login('bob', 'of bob')).toBe(200);
  for (const user of ['bob', 'nobody']) {
    const guesses = [await login(user, '1'), await login(user, '2'), await login(user, '3'), await login(user, '4')];
    expect([user, guesses]).toEqual([user, [403, 403, 403, 429]]);
  }
  await app.register('carol');
  expect(await login('carol', 'of carol')).toBe(200);
});
