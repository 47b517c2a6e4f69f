import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PresenceLists } from '#ephemeral/lists/presence-lists';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/** Client-server API v1, "Presence": presence lists, and the path of our own for clients of today. */

let app: SyncApp;
beforeAll(async () => void (app = await SyncApp.start(undefined, { ANNALS_PRESENCE: 'on' })));
afterAll(() => app.close());

const OWN = '/_matrix/client/unstable/dev.annals.presence_list';
const V1 = '/_matrix/client/api/v1';

let names = 0;
const someone = (): Promise<SyncUser> => app.register(`lister${names++}`);
const statusPath = (of: SyncUser): string => `/presence/${encodeURIComponent(of.userId)}/status`;
const listPath = (of: SyncUser): string => `/presence/list/${encodeURIComponent(of.userId)}`;
const change = async (who: SyncUser, body: object): Promise<void> => {
  expect((await who.v1('POST', listPath(who), body)).status).toBe(200);
  await app.settled();
};
const listOf = async (who: SyncUser): Promise<{ user_id: string; accepted: boolean }[]> =>
  (await who.v1('GET', listPath(who))).body;
const look = (who: SyncUser, since?: string, timeout = 0) =>
  who.sync({ set_presence: 'offline', timeout, ...(since === undefined ? {} : { since }) });
const sees = async (who: SyncUser, whom: SyncUser): Promise<boolean> =>
  (await who.call('GET', statusPath(whom))).status === 200;
const sendersOf = (answer: { presence?: { events: { sender: string }[] } }): string[] =>
  (answer.presence?.events ?? []).map(({ sender }) => sender);
/** What a client heard of the list: the contents of its events. */
const heardIn = (answer: Record<string, unknown>): unknown[] =>
  ((answer['dev.annals.presence_list'] as { events: { content: object }[] } | undefined)?.events ?? []).map(
    ({ content }) => content,
  );

/** Alice, who has Bob on her list with his permission, and shares no room with him. */
async function friends(): Promise<{ alice: SyncUser; bob: SyncUser }> {
  const [alice, bob] = [await someone(), await someone()];
  await change(alice, { invite: [bob.userId] });
  await change(bob, { accept: [alice.userId] });
  return { alice, bob };
}

describe('a presence list', () => {
  it('shows who accepted, to who asked and to nobody else, until one of them ends it', async () => {
    const [alice, bob] = [await someone(), await someone()];
    await bob.ok('PUT', statusPath(bob), { presence: 'online', status_msg: 'BOB IS HERE' });
    await change(alice, { invite: [bob.userId] });
    expect(await listOf(alice)).toEqual([{ user_id: bob.userId, accepted: false, presence: 'offline' }]);
    expect((await bob.v1('GET', `${listPath(bob)}/watchers`)).body).toEqual([
      { user_id: alice.userId, accepted: false },
    ]);
    expect([await sees(alice, bob), await sees(bob, alice)]).toEqual([false, false]);

    await change(bob, { accept: [alice.userId] });
    expect(await listOf(alice)).toMatchObject([
      { user_id: bob.userId, accepted: true, presence: 'online', status_msg: 'BOB IS HERE', currently_active: true },
    ]);
    expect([await sees(alice, bob), await sees(bob, alice)]).toEqual([true, false]);

    await change(bob, { decline: [alice.userId] });
    expect([await listOf(alice), await sees(alice, bob)]).toEqual([[], false]);
    expect((await bob.v1('GET', `${listPath(bob)}/watchers`)).body).toEqual([]);
  });

  it('is ended by who has it too', async () => {
    const { alice, bob } = await friends();
    await change(alice, { drop: [bob.userId] });
    expect([await listOf(alice), await sees(alice, bob)]).toEqual([[], false]);
    expect((await bob.v1('GET', `${listPath(bob)}/watchers`)).body).toEqual([]);
  });

  it('accepts by itself where there is a reverse subscription', async () => {
    const { alice, bob } = await friends();
    await change(bob, { invite: [alice.userId] });
    await expect.poll(() => listOf(bob)).toMatchObject([{ user_id: alice.userId, accepted: true }]);
    expect([await sees(alice, bob), await sees(bob, alice)]).toEqual([true, true]);
  });

  it('tells of changes in /sync, events and initialSync, from the permission on and no longer', async () => {
    const [alice, bob] = [await someone(), await someone()];
    await bob.ok('PUT', statusPath(bob), { presence: 'online', status_msg: 'WATCHED' });
    const token = (await look(alice)).next_batch;
    await change(alice, { invite: [bob.userId] });
    const { end } = (await alice.v1('GET', '/initialSync')).body;
    const asked = await look(alice, token);
    expect(JSON.stringify(asked)).not.toContain('WATCHED');
    const waiting = look(alice, asked.next_batch, 20_000);
    await change(bob, { accept: [alice.userId] });
    expect(sendersOf(await waiting)).toEqual([bob.userId]);

    const told: readonly unknown[] = [
      (await alice.v1('GET', `/events?from=${end}&timeout=0`)).body.chunk,
      (await alice.v1('GET', '/initialSync')).body.presence,
      (await alice.ok('GET', '/initialSync')).presence,
      (await look(alice)).presence,
    ];
    expect(told.map((answer) => JSON.stringify(answer).includes('WATCHED'))).toEqual([true, true, true, true]);
    const since = (await look(alice, (await waiting).next_batch)).next_batch;
    const next = look(alice, since, 20_000);
    await bob.ok('PUT', statusPath(bob), { presence: 'unavailable' });
    const news = await next;
    expect(news.presence.events).toMatchObject([{ sender: bob.userId, content: { presence: 'unavailable' } }]);

    await change(bob, { decline: [alice.userId] });
    const after = await look(alice, news.next_batch);
    await bob.ok('PUT', statusPath(bob), { presence: 'online', status_msg: 'UNSEEN' });
    expect(JSON.stringify([await look(alice, after.next_batch), await look(alice)])).not.toContain('UNSEEN');
    const { chunk } = (await alice.v1('GET', `/events?from=${end}&timeout=0`)).body;
    expect(JSON.stringify(chunk)).not.toContain('UNSEEN');
  });

  it('has groups that stand in access lists of profiles', async () => {
    const [alice, bob] = [await someone(), await someone()];
    await change(alice, { invite: [bob.userId], groups: { [bob.userId]: ['family'] } });
    const field = `/profile/${alice.userId}/org.example.pet`;
    await alice.ok('PUT', field, { 'org.example.pet': 'cat' });
    const path = `/_matrix/client/unstable/dev.annals.profile/${alice.userId}/org.example.pet/readers`;
    const reads = async (): Promise<number> => (await app.call('GET', `/_matrix/client/v3${field}`, bob.token)).status;
    await alice.ok('PUT', path, { readers: ['group:work'] });
    expect(await reads()).toBe(404);
    await alice.ok('PUT', path, { readers: ['group:work', 'group:family'] });
    expect(await reads()).toBe(200);
    await change(alice, { drop: [bob.userId] });
    expect(await reads()).toBe(404);
  });

  it('is told of to its owner, and who asks is', async () => {
    const [alice, bob] = [await someone(), await someone()];
    const [mine, his] = [(await look(alice)).next_batch, (await look(bob)).next_batch];
    const { end } = (await bob.v1('GET', '/initialSync')).body;
    const asked = look(bob, his, 20_000);
    await change(alice, { invite: [bob.userId], groups: { [bob.userId]: ['family'] } });
    const first = await look(alice, mine);
    expect(heardIn(first)).toEqual([{ user_id: bob.userId, listed: 'asked', groups: ['family'] }]);
    expect(heardIn(await asked)).toEqual([{ user_id: alice.userId, watches: 'asked' }]);
    const { chunk } = (await bob.v1('GET', `/events?from=${end}&timeout=0`)).body;
    expect(chunk).toContainEqual({
      type: 'dev.annals.presence_list',
      content: { user_id: alice.userId, watches: 'asked' },
    });
    await change(bob, { accept: [alice.userId] });
    const second = await look(alice, first.next_batch);
    expect(heardIn(second)).toEqual([{ user_id: bob.userId, listed: 'accepted', groups: ['family'] }]);
    expect(heardIn(await look(alice))).toEqual(heardIn(second));
    expect(await look(alice, second.next_batch)).not.toHaveProperty(['dev.annals.presence_list']);
    await change(alice, { drop: [bob.userId] });
    expect(heardIn(await look(alice, second.next_batch))).toEqual([{ user_id: bob.userId }]);
    expect(heardIn(await look(alice))).toEqual([]);
  });

  it('lets nobody learn who has an account, nor who ignores them', async () => {
    const [alice, bob] = [await someone(), await someone()];
    await bob.ok('PUT', `/user/${bob.userId}/account_data/m.ignored_user_list`, {
      ignored_users: { [alice.userId]: {} },
    });
    await change(alice, { invite: [bob.userId, '@nobody:a.example'] });
    expect((await bob.v1('GET', `${listPath(bob)}/watchers`)).body).toEqual([]);
    expect((await alice.v1('GET', statusPath(bob))).status).toBe(403);
  });

  it('tells nothing of a list in the synchronisation of one room', async () => {
    const { alice, bob } = await friends();
    await bob.ok('PUT', statusPath(bob), { presence: 'online', status_msg: 'NOT HERE' });
    const roomId = await alice.createRoom();
    const room = (await alice.v1('GET', `${roomPath(roomId)}/initialSync`)).body;
    expect(JSON.stringify(room)).not.toContain('NOT HERE');
  });

  it('has a path of its own for clients of today, and each POST of 2014/15 has its PUT', async () => {
    const [alice, bob] = [await someone(), await someone()];
    const own = `${OWN}/${alice.userId}`;
    expect((await alice.call('POST', own, { invite: [bob.userId] })).status).toBe(200);
    expect((await alice.call('GET', own)).body).toEqual({
      list: [{ user_id: bob.userId, accepted: false, presence: 'offline' }],
      watchers: [],
    });
    expect((await alice.v1('GET', '/presence/list')).body).toHaveLength(1);
    const drop = (): Promise<{ status: number }> => alice.v1('PUT', `${listPath(alice)}/t1`, { drop: [bob.userId] });
    expect((await drop()).status).toBe(200);
    await app.settled();
    expect(await listOf(alice)).toEqual([]);
    await alice.v1('POST', '/presence/list', { invite: [bob.userId] });
    expect((await drop()).status).toBe(200);
    expect(await listOf(alice)).toHaveLength(1);
  });

  it('refuses what it cannot do, and then does nothing of it', async () => {
    const [alice, bob] = [await someone(), await someone()];
    const post = async (body: object, of = alice): Promise<unknown> => {
      const { status, body: answer } = await alice.call('POST', `${V1}${listPath(of)}`, body);
      return `${status} ${answer.errcode}`;
    };
    expect(await post({ invite: 'bob' })).toBe('400 M_BAD_JSON');
    expect(await post({ invite: [bob.userId, 5] })).toBe('400 M_INVALID_PARAM');
    expect(await post({ invite: [bob.userId, alice.userId] })).toBe('400 M_INVALID_PARAM');
    expect(await post({ invite: [bob.userId], accept: ['@stranger:b.example'] })).toBe('404 M_NOT_FOUND');
    expect(await post({ groups: { [bob.userId]: ['work'] } })).toBe('404 M_NOT_FOUND');
    expect(await post({ groups: { [bob.userId]: [''] } })).toBe('400 M_BAD_JSON');
    expect(await post({ groups: [] })).toBe('400 M_BAD_JSON');
    expect(await post({ invite: [] }, bob)).toBe('403 M_FORBIDDEN');
    expect((await alice.v1('GET', listPath(bob))).status).toBe(403);
    expect(await listOf(alice)).toEqual([]);
  });

  it('is over with the account of either', async () => {
    const { alice, bob } = await friends();
    await change(bob, { invite: [alice.userId] });
    await bob.close();
    await app.settled();
    await expect.poll(() => listOf(alice)).toEqual([]);
    await expect.poll(async () => (await alice.v1('GET', `${listPath(alice)}/watchers`)).body).toEqual([]);
    expect(await app.get(PresenceLists).note(bob.userId as never, { what: 'asked' }, alice.userId as never, { actor: 'server' })).toBe(false); // prettier-ignore
  });
});

it('is the same where the views are made anew, with groups, who asks, who may see whom and what is held', async () => {
  const house = await SyncApp.start(undefined, { ANNALS_PRESENCE: 'on' });
  try {
    const people = ['alice', 'bob', 'carol', 'dave'].map((name) => house.register(name));
    const [alice, bob, carol, dave] = (await Promise.all(people)) as [SyncUser, SyncUser, SyncUser, SyncUser];
    await alice.v1('POST', listPath(alice), {
      invite: [bob.userId, carol.userId, dave.userId],
      groups: { [bob.userId]: ['work'], [dave.userId]: ['family'] },
    });
    await house.settled();
    await bob.v1('POST', listPath(bob), { accept: [alice.userId], invite: [alice.userId] });
    await carol.v1('POST', listPath(carol), { decline: [alice.userId] });
    await alice.v1('POST', listPath(alice), { drop: [dave.userId] });
    const signals = { online: { groups: ['work'] }, otherwise: 'hold' };
    await alice.ok('PUT', `/user/${alice.userId}/account_data/dev.annals.one_to_one_invites`, signals);
    for (const one of [bob, carol]) await one.ok('POST', '/createRoom', { invite: [alice.userId], is_direct: true });
    const answers = async (): Promise<unknown[]> => {
      const all: unknown[] = [];
      for (const one of [alice, bob, carol, dave]) {
        all.push((await one.call('GET', `${OWN}/${one.userId}`)).body, await sees(alice, one), await sees(one, alice));
      }
      const { rooms, ...answer } = await look(alice);
      return [...all, heardIn(answer), Object.keys(rooms?.invite ?? {})];
    };
    await expect.poll(async () => (await listOf(bob))[0]?.accepted).toBe(true);
    await expect.poll(async () => (await listOf(alice)).length).toBe(1);
    await house.settled();
    const before = await answers();
    expect((before.at(-1) as string[]).length).toBe(1);
    await house.restart(true);
    await house.settled();
    const withoutTimes = (value: unknown): string => JSON.stringify(value).replace(/"last_active_ago":\d+,?/g, '');
    expect(withoutTimes(await answers())).toBe(withoutTimes(before));
  } finally {
    await house.close();
  }
});

it('is the same after a restart, with who sees whom', async () => {
  const house = await SyncApp.start(undefined, { ANNALS_PRESENCE: 'on' });
  try {
    const [alice, bob] = [await house.register('alice'), await house.register('bob')];
    await alice.v1('POST', listPath(alice), { invite: [bob.userId], groups: { [bob.userId]: ['work'] } });
    await house.settled();
    await bob.v1('POST', listPath(bob), { accept: [alice.userId] });
    await house.settled();
    await house.restart();
    expect(await listOf(alice)).toMatchObject([{ user_id: bob.userId, accepted: true, groups: ['work'] }]);
    const { next_batch: since } = await look(alice);
    const waiting = look(alice, since, 20_000);
    await bob.ok('PUT', statusPath(bob), { presence: 'online' });
    expect(sendersOf(await waiting)).toEqual([bob.userId]);
  } finally {
    await house.close();
  }
});
