import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RoomsAnswer, type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';

let app: RoomsApp;
let alice: TestUser;
let bob: TestUser;

beforeAll(async () => {
  app = await startRoomsApp();
  alice = await app.register('alice');
  bob = await app.register('bob.builder');
});
afterAll(() => app.close());

const search = (user: TestUser, search_term: string, more: object = {}): Promise<RoomsAnswer['body']> =>
  user.ok('POST', '/user_directory/search', { search_term, ...more });
const idsOf = async (user: TestUser, term: string): Promise<string[]> =>
  (await search(user, term)).results.map(({ user_id: id }: { user_id: string }) => id);
const call = (user: TestUser, name: string): Promise<unknown> =>
  user.ok('PUT', `/profile/${user.userId}/displayname`, { displayname: name });
const join = (user: TestUser, roomId: string): Promise<unknown> => user.ok('POST', `/join/${roomId}`, {});

/** A room of some users that nobody else may enter or read. */
async function privateRoom(creator: TestUser, ...others: TestUser[]): Promise<string> {
  const roomId = await creator.createRoom({
    preset: 'private_chat',
    invite: others.map(({ userId }) => userId),
  });
  for (const other of others) await join(other, roomId);
  return roomId;
}

describe('the search for users', () => {
  it('finds whom one shares a room with, by every beginning of a word of name or id, in any case', async () => {
    await call(bob, 'Robert Größe');
    await bob.ok('PUT', `/profile/${bob.userId}/avatar_url`, {
      avatar_url: 'mxc://a.example/bob',
    });
    const roomId = await privateRoom(alice, bob);
    const found = {
      user_id: bob.userId,
      display_name: 'Robert Größe',
      avatar_url: 'mxc://a.example/bob',
    };
    for (const term of [
      'rob',
      'ROBERT',
      'grosse ROB',
      'bob',
      'builder',
      bob.userId,
      '@BOB.Builder:a.example',
      '@bob.b',
    ]) {
      expect([term, await search(alice, term)]).toEqual([term, { results: [found], limited: false }]);
    }
    for (const term of ['obert', 'robert smith', '', '@', '**', 'a.example']) {
      expect([term, await search(alice, term)]).toEqual([term, { results: [], limited: false }]);
    }
    await bob.ok('POST', `/rooms/${roomId}/leave`, {});
    expect(await idsOf(alice, 'robert')).toEqual([]);
    expect(await idsOf(alice, bob.userId)).toEqual([]);
  });

  it('finds nobody whom one is but invited to, has invited or has left', async () => {
    const [carol, dora] = [await app.register('carol'), await app.register('dora')];
    const roomId = await carol.createRoom({
      preset: 'private_chat',
      invite: [dora.userId],
    });
    expect([await idsOf(carol, 'dora'), await idsOf(dora, 'carol')]).toEqual([[], []]);
    await join(dora, roomId);
    expect([await idsOf(carol, 'dora'), await idsOf(dora, 'carol')]).toEqual([[dora.userId], [carol.userId]]);
    await carol.ok('POST', `/rooms/${roomId}/ban`, { user_id: dora.userId });
    expect([await idsOf(carol, 'dora'), await idsOf(dora, 'carol')]).toEqual([[], []]);
  });

  it('finds who is in a room that everybody may join or read, as long as it is one', async () => {
    const [erin, frank] = [await app.register('erin'), await app.register('frank')];
    const roomId = await privateRoom(erin, frank);
    const set = (type: string, content: object): Promise<unknown> =>
      erin.ok('PUT', `/rooms/${roomId}/state/${type}`, content);
    const found = async (): Promise<string[][]> => [await idsOf(alice, 'frank'), await idsOf(frank, 'frank')];
    const [yes, no] = [
      [[frank.userId], [frank.userId]],
      [[], []],
    ];
    expect(await found()).toEqual(no);
    await set('m.room.join_rules', { join_rule: 'public' });
    expect(await found()).toEqual(yes);
    await set('m.room.history_visibility', {
      history_visibility: 'world_readable',
    });
    await set('m.room.join_rules', { join_rule: 'invite' });
    expect(await found()).toEqual(yes);
    await set('m.room.history_visibility', { history_visibility: 'shared' });
    expect(await found()).toEqual(no);
    await set('m.room.join_rules', { join_rule: 'public' });
    await frank.ok('POST', `/rooms/${roomId}/leave`, {});
    expect(await found()).toEqual(no);
  });

  it('tells nothing of what somebody is called in a room that is not the reader’s', async () => {
    const [gina, henry] = [await app.register('gina'), await app.register('henry')];
    const roomId = await privateRoom(gina, henry);
    await privateRoom(gina, alice);
    await gina.ok('PUT', `/rooms/${roomId}/state/m.room.member/${gina.userId}`, {
      membership: 'join',
      displayname: 'Nightingale',
    });
    for (const user of [alice, henry]) {
      expect(await idsOf(user, 'nightingale')).toEqual([]);
      expect((await search(user, 'gina')).results).toEqual([{ user_id: gina.userId }]);
    }
  });

  it('leaves out who has closed their account, and whom the reader ignores', async () => {
    const [ida, jack] = [await app.register('ida'), await app.register('jack')];
    await privateRoom(alice, ida, jack);
    expect([await idsOf(alice, 'ida'), await idsOf(alice, 'jack')]).toEqual([[ida.userId], [jack.userId]]);
    const ignored = { ignored_users: { [jack.userId]: {} } };
    await alice.ok('PUT', `/user/${alice.userId}/account_data/m.ignored_user_list`, ignored);
    expect(await idsOf(alice, 'jack')).toEqual([]);
    expect(await idsOf(jack, 'alice')).toEqual([alice.userId]);
    const auth = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: 'ida' },
      password: 'of ida',
    };
    await ida.ok('POST', '/account/deactivate', { auth });
    expect([await idsOf(alice, 'ida'), await idsOf(jack, ida.userId)]).toEqual([[], []]);
  });

  it('tells first who is named exactly, then whom one shares a room with, and says when there are more', async () => {
    const users: TestUser[] = [];
    for (const name of ['kim.a', 'kim.b', 'kim.c', 'kimberley', 'kim']) users.push(await app.register(name));
    const [a, b, c, berley, kim] = users.map(({ userId }) => userId);
    const open = await users[0]!.createRoom({ preset: 'public_chat' });
    for (const user of users.slice(1)) await join(user, open);
    await privateRoom(alice, users[2]!);
    expect(await idsOf(alice, 'kim')).toEqual([kim, c, a, b, berley]);
    const first = await search(alice, 'kim', { limit: 2 });
    expect([first.results.length, first.limited]).toEqual([2, true]);
    expect((await search(alice, 'kim', { limit: 5 })).limited).toBe(false);
    expect(await search(alice, 'kim', { limit: 0 })).toEqual({
      results: [],
      limited: true,
    });
  });

  it('refuses what is no search', async () => {
    for (const body of [{}, { search_term: 7 }, { search_term: 'a', limit: -1 }, { search_term: 'a', limit: 'many' }]) {
      const { status } = await alice.call('POST', '/user_directory/search', body);
      expect([body, status]).toEqual([body, 400]);
    }
    const guest = await app.registerGuest();
    expect((await guest.call('POST', '/user_directory/search', { search_term: 'a' })).status).toBe(403);
    for (const search_term of ['a'.repeat(60_000), `${'山'.repeat(20_000)}`, ': '.repeat(30_000), '\0', '\u{10FFFF}']) {
      expect((await search(alice, search_term)).results).toEqual([]);
    }
  });
});
