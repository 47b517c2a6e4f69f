import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { registerAdmin, SHARED_SECRET } from './support/admin.js';
import { type Ask, askV1, DIALECTS, V1, V3 } from './support/dialects.js';
import { HandBrowser } from './support/hand-browser.js';
import { type Answer, Client, Homeserver, passwordOf } from './support/homeserver.js';
import { path, refusal } from './support/three-users.js';

// The server is killed and started.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const [TOKEN, PASSWORD] = ['m.login.registration_token', 'm.login.password'];
const FOR_ALL = 'for-all';
const SENDING = { class: 'send', by: 'device', burst: 3, per_second: 0.5 };

let server: Homeserver;
let admin: string;

beforeAll(async () => {
  server = await Homeserver.start({
    env: {
      ANNALS_REGISTRATION: 'token',
      ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET,
      ANNALS_RATE_LIMITS: 'on',
      ANNALS_RATE_LIMIT_FIGURES: `send=${SENDING.burst}:${SENDING.per_second},login=1000:1000,registration=1000:1000,password=3:0.01`,
    },
  });
  admin = await registerAdmin(server);
  await operate('POST', '/registration_tokens/new', { token: FOR_ALL });
});
afterAll(() => server.remove());

/** Of the operator's API. */
async function operate(method: string, below: string, body?: object): Promise<Answer['body']> {
  const answer = await server.request(method, `/_synapse/admin/v1${below}`, { token: admin, body });
  expect([below, answer.status, answer.body]).toEqual([below, 200, answer.body]);
  return answer.body;
}

/** Registers by today's door: the last answer. */
async function registerToday(username: string, token: string): Promise<Answer> {
  const wanted = { username, password: passwordOf(username) };
  const { session } = (await server.request('POST', `${V3}/register`, { body: wanted })).body;
  return server.request('POST', `${V3}/register`, { body: { ...wanted, auth: { type: TOKEN, token, session } } });
}

/** Registers by the door of 2015: the last answer. */
async function registerV1(user: string, token: string): Promise<Answer> {
  const step = (body: object): Promise<Answer> => server.request('POST', `${V1}/register`, { body });
  const first = await step({ type: TOKEN, token });
  if (first.status !== 200) return first;
  const { session, next } = first.body;
  expect(next).toBe(PASSWORD);
  return step({ type: PASSWORD, session, user, password: passwordOf(user) });
}

let users = 0;
async function someone(): Promise<Client> {
  const { body } = await registerToday(`user${users++}`, FOR_ALL);
  return new Client(server, body.user_id, body.access_token, body.device_id);
}

const nameOf = ({ userId }: Client): string => userId.slice(1, userId.indexOf(':'));
const logIn = (api: string, who: Client, password = passwordOf(nameOf(who))): Promise<Answer> =>
  server.request('POST', `${api}/login`, { body: { type: PASSWORD, user: nameOf(who), password } });

let transactions = 0;
const say = (ask: Ask, who: Client, room: string): Promise<Answer> =>
  ask(who, 'PUT', path(room, 'send', 'm.room.message', `t${transactions++}`), { msgtype: 'm.text', body: 'hello' });
/** Ten messages at once, turn by turn by each way of asking. */
const sayAtOnce = (who: Client, room: string, ...ways: readonly Ask[]): Promise<Answer[]> =>
  Promise.all(Array.from({ length: 10 }, (_, n) => say(ways[n % ways.length]!, who, room)));
const granted = (answers: readonly Answer[]): number => answers.filter(({ status }) => status === 200).length;
const BOTH = DIALECTS.map(([, ask]) => ask);

describe('requests of one class', () => {
  it.each(DIALECTS)(
    'of an application of %s are refused behind a burst, with the time to wait, and go on after that',
    async (_, ask) => {
      const user = await someone();
      const room = await user.createRoom();
      const answers = await sayAtOnce(user, room, ask);
      const refused = answers.filter(({ status }) => status === 429);
      expect(granted(answers)).toBeGreaterThanOrEqual(SENDING.burst);
      expect(granted(answers) + refused.length).toBe(answers.length);
      const { body, headers } = refused.at(-1)!;
      expect(body).toMatchObject({ errcode: 'M_LIMIT_EXCEEDED', 'dev.annals.limit': SENDING });
      expect(body.retry_after_ms).toBeGreaterThan(0);
      expect(body.retry_after_ms).toBeLessThanOrEqual(1000 / SENDING.per_second);
      expect(headers.get('retry-after')).toBe(String(Math.ceil(body.retry_after_ms / 1000)));
      // Timers may be a little early.
      await delay(body.retry_after_ms + 20);
      expect((await say(ask, user, room)).status).toBe(200);
    },
  );

  it('count together, whichever dialect they are in', async () => {
    const user = await someone();
    const answers = await sayAtOnce(user, await user.createRoom(), ...BOTH);
    expect(granted(answers)).toBeLessThan(2 * SENDING.burst);
  });

  it('count for the account where they are wrong passwords', async () => {
    const user = await someone();
    const guesses = [];
    for (const api of [V3, V1, V3, V1, V3]) guesses.push(refusal(await logIn(api, user, 'a guess')));
    const [wrong, tooOften] = [
      [403, 'M_FORBIDDEN'],
      [429, 'M_LIMIT_EXCEEDED'],
    ];
    expect(guesses).toEqual([wrong, wrong, wrong, tooOften, tooOften]);
  });

  it('are as many as an operator lets a user have', async () => {
    const user = await someone();
    const room = await user.createRoom();
    const limits = `/users/${encodeURIComponent(user.userId)}/override_ratelimit`;
    expect(await operate('GET', limits)).toEqual({});
    const lifted = { messages_per_second: 0, burst_count: 0 };
    expect(await operate('POST', limits)).toEqual(lifted);
    expect(await operate('GET', limits)).toEqual(lifted);
    expect(granted(await sayAtOnce(user, room, ...BOTH))).toBe(10);
    const few = { messages_per_second: 1, burst_count: 2 };
    expect(await operate('POST', limits, few)).toEqual(few);
    const refused = (await sayAtOnce(user, room, ...BOTH)).find(({ status }) => status === 429);
    expect(refused?.body['dev.annals.limit']).toEqual({ class: 'send', by: 'user', burst: 2, per_second: 1 });
    expect(await operate('DELETE', limits)).toEqual({});
    expect(await operate('GET', limits)).toEqual({});
    expect(granted(await sayAtOnce(user, room, ...BOTH))).toBeLessThan(10);
    const refusedToThem = await user.request('GET', `/_synapse/admin/v1${limits}`);
    expect(refusal(refusedToThem)).toEqual([403, 'M_FORBIDDEN']);
  });
});

describe('a registration token', () => {
  const isValid = async (token: string): Promise<boolean> => {
    const asked = `/_matrix/client/v1/register/${TOKEN}/validity?token=${token}`;
    return (await server.request('GET', asked)).body.valid;
  };
  const errcodes = async (token: string): Promise<string[]> => [
    (await registerToday('nobody', token)).body.errcode,
    (await registerV1('nobody', token)).body.errcode,
  ];

  it('is good for as many accounts as it says, by whatever door, pages without script among them', async () => {
    const token = 'three-uses';
    await operate('POST', '/registration_tokens/new', { token, uses_allowed: 3 });
    expect(await isValid(token)).toBe(true);
    expect((await registerToday('ann', token)).body.user_id).toBe('@ann:e2e.example');
    expect((await registerV1('ben', token)).body).toMatchObject({
      user_id: '@ben:e2e.example',
      access_token: expect.any(String),
      home_server: 'e2e.example',
    });
    const browser = new HandBrowser([new URL(server.base).host]);
    let page = await browser.visit(`${server.base}${V1}/register/fallback`);
    page = await browser.visit(page.url, { token: 'no-such-token' });
    expect(page.text).toContain('role="alert"');
    page = await browser.visit(page.url, { token });
    page = await browser.visit(page.url, { user: 'cid', password: passwordOf('cid') });
    expect(page.text).toContain('There is an account for you as @cid:e2e.example');
    expect(await isValid(token)).toBe(false);
    expect(await errcodes(token)).toEqual(['M_FORBIDDEN', 'M_FORBIDDEN']);
    expect(await operate('GET', `/registration_tokens/${token}`)).toMatchObject({ uses_allowed: 3, completed: 3 });
  });

  it('is good until its time is over, or it is withdrawn', async () => {
    const token = 'for-a-moment';
    await operate('POST', '/registration_tokens/new', { token, expiry_time: Date.now() + 60_000 });
    expect(await isValid(token)).toBe(true);
    await operate('PUT', `/registration_tokens/${token}`, { expiry_time: Date.now() + 1500 });
    await expect.poll(() => isValid(token), { interval: 100 }).toBe(false);
    expect(await errcodes(token)).toEqual(['M_FORBIDDEN', 'M_FORBIDDEN']);
    await operate('PUT', `/registration_tokens/${token}`, { expiry_time: null });
    expect(await isValid(token)).toBe(true);
    await operate('DELETE', `/registration_tokens/${token}`);
    expect(await isValid(token)).toBe(false);
  });
});

describe('an account that the operators', () => {
  const restrict = async (what: 'lock' | 'suspend', { userId }: Client, isOn: boolean): Promise<void> => {
    const below = `/_matrix/client/v1/admin/${what}/${encodeURIComponent(userId)}`;
    const told = { [what === 'lock' ? 'locked' : 'suspended']: isOn };
    for (const [method, body] of [['PUT', told] as const, ['GET', undefined] as const]) {
      const answer = await server.request(method, below, { token: admin, body });
      expect([answer.status, answer.body]).toEqual([200, told]);
    }
  };

  it('may lock or suspend is one of this server, and only they may', async () => {
    const user = await someone();
    const capabilities = async (token: string): Promise<object> =>
      (await server.request('GET', `${V3}/capabilities`, { token })).body.capabilities;
    expect(await capabilities(admin)).toMatchObject({ 'm.account_moderation': { lock: true, suspend: true } });
    expect(await capabilities(user.token)).not.toHaveProperty('m.account_moderation');
    const own = `/_matrix/client/v1/admin/lock/${encodeURIComponent((await someone()).userId)}`;
    expect(refusal(await user.request('PUT', own, { locked: true }))).toEqual([403, 'M_FORBIDDEN']);
  });

  it('have locked is nobody’s to get into until they unlock it, and its session is as it was', async () => {
    const user = await someone();
    const room = await user.createRoom();
    await restrict('lock', user, true);
    await server.restart('SIGKILL');
    const locked = { status: 401, body: { errcode: 'M_USER_LOCKED', soft_logout: true } };
    for (const [, ask] of DIALECTS) {
      expect(await say(ask, user, room)).toMatchObject(locked);
      expect(await ask(user, 'GET', path(room, 'messages'))).toMatchObject(locked);
    }
    for (const api of [V3, V1]) {
      expect(await logIn(api, user)).toMatchObject(locked);
      // Whoever does not know the password learns nothing of it.
      expect(refusal(await logIn(api, user, 'a guess'))).toEqual([403, 'M_FORBIDDEN']);
    }
    await restrict('lock', user, false);
    for (const [, ask] of DIALECTS) expect((await say(ask, user, room)).status).toBe(200);
    await restrict('lock', user, true);
    expect((await askV1(user, 'POST', '/logout')).status).toBe(200);
    await restrict('lock', user, false);
    const gone = await user.request('GET', '/account/whoami');
    expect([...refusal(gone), gone.body.soft_logout ?? false]).toEqual([401, 'M_UNKNOWN_TOKEN', false]);
  });

  it('have suspended reads, takes back what it said, leaves and logs in, and says nothing to others', async () => {
    const [alice, user] = [await someone(), await someone()];
    for (const { userId } of [alice, user])
      await operate('POST', `/users/${encodeURIComponent(userId)}/override_ratelimit`);
    const powers = { users: { [alice.userId]: 100, [user.userId]: 100 } };
    const room = await alice.createRoom({
      preset: 'public_chat',
      room_version: '11',
      power_level_content_override: powers,
    });
    const other = await alice.createRoom({ preset: 'public_chat' });
    await user.ok('POST', path(room, 'join'), {});
    const own = [await user.send(room, 'a'), await user.send(room, 'b')];
    const hers = await alice.send(room, 'c');
    await restrict('suspend', user, true);
    for (const [, ask] of DIALECTS) {
      const redact = (eventId: string): Promise<Answer> =>
        ask(user, 'PUT', path(room, 'redact', eventId, `t${transactions++}`), {});
      const profile = `/profile/${encodeURIComponent(user.userId)}/displayname`;
      for (const refused of [
        await say(ask, user, room),
        await ask(user, 'PUT', path(room, 'state', 'm.room.topic'), { topic: 'e' }),
        await ask(user, 'POST', `/join/${encodeURIComponent(other)}`, {}),
        await ask(user, 'POST', path(room, 'invite'), { user_id: '@root:e2e.example' }),
        await ask(user, 'POST', '/createRoom', {}),
        await ask(user, 'PUT', profile, { displayname: 'e' }),
        await redact(hers),
      ]) {
        expect(refusal(refused)).toEqual([403, 'M_USER_SUSPENDED']);
      }
      const seen = await ask(user, 'GET', `${path(room, 'messages')}?dir=b&limit=20`);
      expect(JSON.stringify(seen.body.chunk)).toContain(hers);
      expect((await redact(own.pop()!)).status).toBe(200);
    }
    for (const api of [V3, V1]) {
      const { status, body } = await logIn(api, user);
      expect(status).toBe(200);
      const again = await server.request('POST', `${V3}/createRoom`, { token: body.access_token, body: {} });
      expect(refusal(again)).toEqual([403, 'M_USER_SUSPENDED']);
    }
    const { chunk } = await alice.ok('GET', `${path(room, 'messages')}?dir=b&limit=20`);
    const said = chunk.filter(({ type }: { type: string }) => type === 'm.room.message');
    expect(said.map(({ content }: { content: { body?: string } }) => content.body)).toEqual([
      'c',
      undefined,
      undefined,
    ]);
    expect((await askV1(user, 'POST', path(room, 'leave'), {})).status).toBe(200);
    await restrict('suspend', user, false);
    await user.ok('POST', path(other, 'join'), {});
    await user.send(other, 'back');
  });
});
