import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest';
import { type AccountsApp, type Answer, startAccountsApp } from '#testing/accounts-app';

const V3 = '/_matrix/client/v3';
const V1 = '/_matrix/client/api/v1';
const UNSTABLE = '/_matrix/client/unstable';

interface User {
  readonly userId: string;
  readonly token: string;
}

let app: AccountsApp;
let counter = 0;
let alice: User;
let bob: User;

beforeAll(async () => void (app = await startAccountsApp()));
afterAll(() => app.close());
beforeEach(async () => void ([alice, bob] = [await register(), await register()]));

async function register(): Promise<User> {
  const body = { auth: { type: 'm.login.dummy' }, username: `user${++counter}`, password: 'secret' };
  const answer = (await app.call('POST', `${V3}/register`, { body })).body;
  return { userId: String(answer['user_id']), token: String(answer['access_token']) };
}

const get = (who: User | undefined, path: string): Promise<Answer> => app.call('GET', path, { token: who?.token });
const put = async (who: User, path: string, body: unknown): Promise<void> => {
  expect(await app.call('PUT', path, { token: who.token, body })).toMatchObject({ status: 200, body: {} });
};

describe('the name and the avatar of 2015', () => {
  it('are those of today, under two names, through both doors', async () => {
    const of = (door: string, key: string): string => `${door}/profile/${alice.userId}/${key}`;
    await put(alice, of(V3, 'm.profile.display_name'), { 'm.profile.display_name': 'Alice' });
    await put(alice, of(V1, 'm.profile.avatar_url'), { 'm.profile.avatar_url': 'mxc://a/b' });
    for (const door of [V1, V3]) {
      expect((await get(bob, of(door, 'displayname'))).body).toEqual({ displayname: 'Alice' });
      expect((await get(bob, of(door, 'm.profile.display_name'))).body).toEqual({ 'm.profile.display_name': 'Alice' });
      expect((await get(bob, of(door, 'avatar_url'))).body).toEqual({ avatar_url: 'mxc://a/b' });
    }
    const today = { avatar_url: 'mxc://a/b', displayname: 'Alice' };
    expect((await get(bob, `${V3}/profile/${alice.userId}`)).body).toEqual(today);
    const both = { ...today, 'm.profile.display_name': 'Alice', 'm.profile.avatar_url': 'mxc://a/b' };
    expect((await get(bob, `${V1}/profile/${alice.userId}`)).body).toEqual(both);
    await put(alice, of(V1, 'displayname'), { displayname: 'Zoë' });
    expect((await get(bob, of(V3, 'm.profile.display_name'))).body).toEqual({ 'm.profile.display_name': 'Zoë' });
    await app.call('DELETE', of(V3, 'm.profile.display_name'), { token: alice.token });
    expect((await get(bob, of(V1, 'displayname'))).body).toEqual({});
    expect((await get(bob, of(V1, 'm.profile.display_name'))).status).toBe(404);
  });

  it('are held to the limits of today by either name', async () => {
    const path = `${V1}/profile/${alice.userId}/m.profile.display_name`;
    const set = async (value: unknown): Promise<unknown> =>
      (await app.call('PUT', path, { token: alice.token, body: { 'm.profile.display_name': value } })).status;
    expect(await set('👩'.repeat(256))).toBe(200);
    expect(await set('👩'.repeat(257))).toBe(400);
    expect(await set({})).toBe(400);
  });
});

describe.each([
  ['2015', V1, V1],
  ['today', V3, `${UNSTABLE}/dev.annals.`],
])('a field of a profile, through the doors of %s', (_, door, unstable) => {
  const prefix = unstable === V1 ? `${V1}/` : unstable;
  const fieldOf = (who: User, key: string): string => `${door}/profile/${who.userId}/${key}`;
  const readersOf = (who: User, key: string): string => `${prefix}profile/${who.userId}/${key}/readers`;

  it('is for everybody until its owner says for whom, and for others as if it were not set', async () => {
    const [pet, tz] = ['org.example.pet', 'm.tz'];
    await put(alice, fieldOf(alice, pet), { [pet]: 'cat' });
    await put(alice, fieldOf(alice, tz), { [tz]: 'UTC' });
    expect((await get(alice, readersOf(alice, pet))).body).toEqual({ readers: ['everybody'] });
    await put(alice, readersOf(alice, pet), { readers: [bob.userId] });
    expect((await get(alice, readersOf(alice, pet))).body).toEqual({ readers: [bob.userId] });
    const carol = await register();
    const whole = { [tz]: 'UTC', [pet]: 'cat' };
    for (const who of [alice, bob]) {
      expect((await get(who, fieldOf(alice, pet))).body).toEqual({ [pet]: 'cat' });
      expect((await get(who, `${door}/profile/${alice.userId}`)).body).toEqual(whole);
    }
    for (const who of [carol, undefined]) {
      expect((await get(who, fieldOf(alice, pet))).status).toBe(404);
      expect((await get(who, `${door}/profile/${alice.userId}`)).body).toEqual({ [tz]: 'UTC' });
    }
    await put(alice, fieldOf(alice, pet), { [pet]: 'dog' });
    expect((await get(bob, fieldOf(alice, pet))).body).toEqual({ [pet]: 'dog' });
    expect((await get(carol, fieldOf(alice, pet))).status).toBe(404);
    await app.call('DELETE', readersOf(alice, pet), { token: alice.token });
    expect((await get(undefined, fieldOf(alice, pet))).body).toEqual({ [pet]: 'dog' });
  });

  it('may be closed before it is set', async () => {
    await put(alice, readersOf(alice, 'displayname'), { readers: [] });
    await put(alice, fieldOf(alice, 'displayname'), { displayname: 'Secret' });
    expect((await get(bob, fieldOf(alice, 'displayname'))).body).toEqual({});
    expect((await get(alice, fieldOf(alice, 'displayname'))).body).toEqual({ displayname: 'Secret' });
  });

  it('has a list that is for its owner alone to see and to change', async () => {
    const path = readersOf(alice, 'm.tz');
    const [token, body] = [bob.token, { readers: [bob.userId] }];
    expect(await app.call('GET', path, { token })).toMatchObject({ status: 403 });
    expect(await app.call('PUT', path, { token, body })).toMatchObject({ status: 403 });
    expect(await app.call('DELETE', path, { token })).toMatchObject({ status: 403 });
    for (const wrong of [{}, { readers: 'rooms' }, { readers: ['somebody'] }])
      expect(await app.call('PUT', path, { token: alice.token, body: wrong })).toMatchObject({ status: 400 });
  });
});

describe.each([
  ['2015', `${V1}/user_data`],
  ['today', `${UNSTABLE}/dev.annals.user_data`],
])('private data, through the doors of %s', (_, door) => {
  it('has the shape of a profile, and is the account data of today', async () => {
    const [theme, size] = ['org.example.theme', 'org.example.size'];
    await put(alice, `${door}/${alice.userId}/${theme}`, { [theme]: { dark: true } });
    await put(alice, `${door}/${alice.userId}/${size}`, { [size]: 5 });
    await put(alice, `${V3}/user/${alice.userId}/account_data/m.direct`, { '@b:a': ['!r'] });
    expect((await get(alice, `${door}/${alice.userId}/${size}`)).body).toEqual({ [size]: 5 });
    expect((await get(alice, `${door}/${alice.userId}`)).body).toEqual({
      [theme]: { dark: true },
      [size]: 5,
      'm.direct': { '@b:a': ['!r'] },
    });
    const today = (type: string): string => `${V3}/user/${alice.userId}/account_data/${type}`;
    expect((await get(alice, today(theme))).body).toEqual({ dark: true });
    expect((await get(alice, today(size))).body).toEqual({ [size]: 5 });
    expect((await app.call('DELETE', `${door}/${alice.userId}/${size}`, { token: alice.token })).status).toBe(200);
    expect((await get(alice, `${door}/${alice.userId}/${size}`)).status).toBe(404);
    expect(Object.keys((await get(alice, `${door}/${alice.userId}`)).body)).not.toContain(size);
  });

  it('is for its owner alone, unless a list says otherwise', async () => {
    const path = `${door}/${alice.userId}/org.example.door`;
    await put(alice, path, { 'org.example.door': 1234 });
    expect((await get(bob, path)).status).toBe(404);
    expect((await get(bob, `${door}/${alice.userId}`)).body).toEqual({});
    expect((await get(undefined, path)).status).toBe(401);
    await put(alice, `${path}/readers`, { readers: [bob.userId] });
    expect((await get(bob, path)).body).toEqual({ 'org.example.door': 1234 });
    expect((await get(bob, `${door}/${alice.userId}`)).body).toEqual({ 'org.example.door': 1234 });
    expect((await get(await register(), path)).status).toBe(404);
    const body = { 'org.example.door': 1 };
    expect((await app.call('PUT', path, { token: bob.token, body })).status).toBe(403);
    await put(alice, `${path}/readers`, { readers: [] });
    expect((await get(bob, path)).status).toBe(404);
  });

  it('is refused under names that the server keeps, and without a value', async () => {
    const set = async (key: string, body: object): Promise<number> =>
      (await app.call('PUT', `${door}/${alice.userId}/${key}`, { token: alice.token, body })).status;
    expect(await set('m.push_rules', { 'm.push_rules': {} })).toBe(405);
    expect(await set('org.example', { other: 5 })).toBe(400);
    expect(await set('x'.repeat(256), { ['x'.repeat(256)]: 5 })).toBe(400);
  });
});

test('who was on an access list leaves the log with the account', async () => {
  await put(alice, `${V1}/profile/${alice.userId}/m.tz/readers`, { readers: [bob.userId] });
  for await (const fact of app.store.readStream(`user-${alice.userId}`)) {
    if (fact.type !== 'readers-set') continue;
    expect(fact.data.slice(0, fact.metadata.erasable)).not.toContain(bob.userId);
    expect(fact.metadata.erasable).toBeDefined();
  }
});
