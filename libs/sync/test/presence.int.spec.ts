import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Presence } from '#ephemeral/presence/presence';
import { SlidingClient } from '#testing/sliding-client';
import { ActiveUsers } from '../src/notifier/active-users.js';
import { queryOf, roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/** Client-server API, "Presence", and that of API v1. */

interface PresenceEvent {
  readonly type: string;
  readonly sender?: string;
  readonly content: { readonly presence: string; readonly user_id?: string; readonly status_msg?: string };
}

let app: SyncApp;
beforeAll(async () => void (app = await SyncApp.start(undefined, { ANNALS_PRESENCE: 'on' })));
afterAll(() => app.close());

let names = 0;
const someone = (): Promise<SyncUser> => app.register(`user${names++}`);
const statusPath = (of: SyncUser): string => `/presence/${encodeURIComponent(of.userId)}/status`;
const set = (who: SyncUser, presence: string, status_msg?: string): Promise<unknown> =>
  who.ok('PUT', statusPath(who), { presence, ...(status_msg === undefined ? {} : { status_msg }) });
const setV1 = (who: SyncUser, presence: string): Promise<unknown> => who.v1('PUT', statusPath(who), { presence });
const eventsOf = (answer: { presence?: { events: PresenceEvent[] } }): PresenceEvent[] => answer.presence?.events ?? [];

/** Syncs as somebody who is not there by that. */
const look = (
  who: SyncUser,
  since?: string,
  timeout = 0,
): Promise<SyncUser['sync'] extends () => infer R ? R : never> =>
  who.sync({ set_presence: 'offline', timeout, ...(since === undefined ? {} : { since }) }) as never;

/** All bytes of the log, whatever the store thinks is in them. */
function filesOfLog(): string {
  const folder = resolve(app.directory, 'log');
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map(({ name }) => readFileSync(resolve(folder, name), 'latin1')).join('');
}

/** Two people in a room. */
async function mates(): Promise<{ alice: SyncUser; bob: SyncUser; roomId: string }> {
  const [alice, bob] = [await someone(), await someone()];
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  return { alice, bob, roomId };
}

describe('presence', () => {
  it('is that of who syncs, unless they say otherwise', async () => {
    const { alice, bob } = await mates();
    const state = async (): Promise<string> => (await bob.ok('GET', statusPath(alice))).presence;
    expect(await state()).toBe('offline');
    await alice.sync({ set_presence: 'offline' });
    expect(await state()).toBe('offline');
    await alice.sync({ set_presence: 'unavailable' });
    expect(await state()).toBe('unavailable');
    await alice.sync();
    expect(await bob.ok('GET', statusPath(alice))).toEqual({
      presence: 'online',
      currently_active: true,
      last_active_ago: expect.any(Number),
    });
  });

  it('wakes who shares a room as somebody comes, and tells it once', async () => {
    const { alice, bob } = await mates();
    const since = (await look(bob)).next_batch;
    const waiting = look(bob, since, 20_000);
    await alice.sync();
    const answer = await waiting;
    expect(eventsOf(answer)).toMatchObject([
      { type: 'm.presence', sender: alice.userId, content: { presence: 'online' } },
    ]);
    expect(eventsOf(answer)[0]?.content).not.toHaveProperty('user_id');
    expect(eventsOf(await look(bob, answer.next_batch))).toEqual([]);
    const first = eventsOf(await look(bob)).map(({ sender }) => sender);
    expect(first.toSorted()).toEqual([alice.userId, bob.userId].toSorted());
  });

  it('is set with a message, which is replaced with it', async () => {
    const { alice, bob } = await mates();
    const since = (await look(bob)).next_batch;
    await set(alice, 'unavailable', 'at lunch');
    const told = await look(bob, since, 20_000);
    expect(eventsOf(told)).toMatchObject([{ content: { presence: 'unavailable', status_msg: 'at lunch' } }]);
    await set(alice, 'unavailable', '');
    // Between two tellings a moment passes.
    expect(eventsOf(await look(bob, told.next_batch, 20_000))[0]?.content).not.toHaveProperty('status_msg');
    await set(alice, 'online', 'back');
    await alice.ok('PUT', statusPath(alice), { presence: 'online', status_msg: null });
    expect(await bob.ok('GET', statusPath(alice))).not.toHaveProperty('status_msg');
  });

  it('refuses what is none, and that of others', async () => {
    const { alice, bob } = await mates();
    const put = async (body: unknown, who = alice, door = ''): Promise<unknown> => {
      const { status, body: answer } = await who.call('PUT', `${door}${statusPath(alice)}`, body);
      return status === 200 ? 200 : `${status} ${answer.errcode}`;
    };
    const v1 = '/_matrix/client/api/v1';
    expect(await put({})).toBe('400 M_MISSING_PARAM');
    expect(await put({ presence: 'asleep' })).toBe('400 M_BAD_JSON');
    expect(await put({ presence: 'hidden' })).toBe('400 M_BAD_JSON');
    expect(await put({ presence: 'asleep' }, alice, v1)).toBe('400 M_BAD_JSON');
    expect(await put({ presence: 'online', status_msg: 1 })).toBe('400 M_BAD_JSON');
    expect(await put({ presence: 'online', status_msg: 'x'.repeat(513) })).toBe('400 M_INVALID_PARAM');
    expect(await put({ presence: 'online' }, bob)).toBe('403 M_FORBIDDEN');
    expect((await alice.call('GET', '/sync?set_presence=asleep')).body.errcode).toBe('M_INVALID_PARAM');
    expect(await alice.ok('GET', statusPath(alice))).toMatchObject({ presence: 'offline' });
  });

  it('is that of the device that is there most', async () => {
    const { alice, bob } = await mates();
    const phone = await alice.logIn();
    await alice.sync({ set_presence: 'unavailable' });
    await phone.sync();
    await alice.sync({ set_presence: 'unavailable' });
    expect(await bob.ok('GET', statusPath(alice))).toMatchObject({ presence: 'online' });
    await phone.ok('POST', '/logout', {});
    expect(await bob.ok('GET', statusPath(alice))).toMatchObject({ presence: 'unavailable' });
  });

  it('comes back from idle with what somebody does', async () => {
    const { alice, bob, roomId } = await mates();
    await set(alice, 'unavailable');
    await alice.send(roomId, 'hello');
    await expect.poll(async () => (await bob.ok('GET', statusPath(alice))).presence).toBe('online');
    await set(alice, 'unavailable');
    await alice.ok('PUT', `${roomPath(roomId)}/typing/${alice.userId}`, { typing: true });
    expect(await bob.ok('GET', statusPath(alice))).toMatchObject({ presence: 'online' });
  });

  it('is that of who uses sliding sync too, which is not woken for that of others', async () => {
    const { alice, bob, roomId } = await mates();
    const body = { lists: { all: { ranges: [[0, 9]], required_state: [], timeline_limit: 1 } } };
    const client = new SlidingClient(bob);
    await client.next(body);
    expect(await alice.ok('GET', statusPath(bob))).toMatchObject({ presence: 'online' });
    const waiting = client.next(body, 20_000);
    const active = app.get(ActiveUsers);
    await expect.poll(() => active.numbers.waiting).toBe(1);
    await app.settled();
    const before = active.numbers.wakeUps;
    await set(alice, 'online');
    expect(active.numbers.wakeUps).toBe(before);
    await alice.send(roomId, 'hello');
    expect(Object.keys((await waiting).rooms)).toEqual([roomId]);
    const path = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync';
    const refused = await bob.call('POST', `${path}?set_presence=asleep`, body);
    expect(refused.body.errcode).toBe('M_INVALID_PARAM');
  });

  it('is filtered', async () => {
    const { alice, bob } = await mates();
    await set(alice, 'online');
    const ask = async (presence: object): Promise<unknown[]> =>
      eventsOf(await bob.sync({ set_presence: 'offline', filter: { presence } })).map(({ sender }) => sender);
    expect(await ask({ types: [] })).toEqual([]);
    expect(await ask({ senders: [alice.userId] })).toEqual([alice.userId]);
    expect(await ask({ not_senders: [alice.userId] })).toEqual([bob.userId]);
  });
});

describe('the states of 2014/15, and more', () => {
  const table: readonly (readonly [set: string, own: string, others: string, ownToday: string, othersToday: string])[] =
    [
      ['online', 'online', 'online', 'online', 'online'],
      ['unavailable', 'unavailable', 'unavailable', 'unavailable', 'unavailable'],
      ['offline', 'offline', 'offline', 'offline', 'offline'],
      ['free_for_chat', 'free_for_chat', 'free_for_chat', 'online', 'online'],
      ['hidden', 'hidden', 'offline', 'offline', 'offline'],
      ['busy', 'busy', 'busy', 'org.matrix.msc3026.busy', 'org.matrix.msc3026.busy'],
      ['do_not_disturb', 'do_not_disturb', 'do_not_disturb', 'org.matrix.msc3026.busy', 'org.matrix.msc3026.busy'],
      ['com.example.away', 'unavailable', 'unavailable', 'unavailable', 'unavailable'],
    ];

  it.each(table)('%s is seen as %s by oneself, as %s by others; today as %s and %s', async (state, ...seen) => {
    const { alice, bob } = await mates();
    await alice.v1('GET', '/events?timeout=0');
    await setV1(alice, state);
    await alice.v1('GET', '/events?timeout=0');
    const path = statusPath(alice);
    const answers = [
      await alice.v1('GET', path),
      await bob.v1('GET', path),
      await alice.call('GET', path),
      await bob.call('GET', path),
    ];
    expect(answers.map(({ body }) => body.presence)).toEqual(seen);
  });

  it('are extensible: what nobody knows stands beside the nearest that is known', async () => {
    const { alice, bob } = await mates();
    await alice.v1('GET', '/events?timeout=0');
    const path = statusPath(alice);
    await setV1(alice, 'do_not_disturb');
    expect(await bob.ok('GET', path)).toMatchObject({ 'dev.annals.state': 'do_not_disturb' });
    await alice.v1('PUT', path, { presence: 'online', 'dev.annals.state': 'com.example.singing' });
    const exact = { presence: 'online', 'dev.annals.state': 'com.example.singing' };
    expect((await bob.v1('GET', path)).body).toMatchObject(exact);
    expect(await bob.ok('GET', path)).toMatchObject(exact);
    expect(eventsOf(await look(bob))).toContainEqual(
      expect.objectContaining({ content: expect.objectContaining(exact) }),
    );
    expect((await alice.call('PUT', path, { presence: 'org.matrix.msc3026.busy' })).status).toBe(200);
    expect((await bob.v1('GET', path)).body).toMatchObject({ presence: 'busy' });
    expect((await alice.v1('PUT', path, { ...exact, 'dev.annals.state': 'a b' })).body.errcode).toBe('M_BAD_JSON');
  });

  it('have the kind of device, and when it was last used, as its client tells', async () => {
    const { alice, bob } = await mates();
    const phone = await alice.logIn();
    await phone.sync();
    const put = (body: object, of = alice) => phone.v1('PUT', `/presence/${of.userId}/device`, body);
    expect((await put({ device_type: 'mobile' })).status).toBe(200);
    expect((await bob.v1('GET', statusPath(alice))).body).toMatchObject({ presence: 'online', device_type: 'mobile' });
    const own = `/_matrix/client/unstable/dev.annals.presence/${alice.userId}/device`;
    expect((await phone.call('PUT', own, { idle_ms: 60_000 })).status).toBe(200);
    const idle = await bob.ok('GET', statusPath(alice));
    expect(idle).toMatchObject({ presence: 'unavailable', 'dev.annals.device_type': 'mobile' });
    await phone.call('PUT', own, { idle_ms: 0, device_type: '' });
    const back = await bob.ok('GET', statusPath(alice));
    expect(back).toMatchObject({ presence: 'online', currently_active: true });
    expect(back).not.toHaveProperty(['dev.annals.device_type']);
    for (const wrong of [{ idle_ms: -1 }, { idle_ms: 0.5 }, { idle_ms: 1e12 }, { device_type: 'a phone' }])
      expect((await put(wrong)).body.errcode).toBe('M_INVALID_PARAM');
    for (const wrong of [{ idle_ms: '1' }, { device_type: 5 }])
      expect((await put(wrong)).body.errcode).toBe('M_BAD_JSON');
    expect((await put({ idle_ms: 1 }, bob)).body.errcode).toBe('M_FORBIDDEN');
  });

  it('are told in events, with name and picture, and in initialSync', async () => {
    const { alice, bob, roomId } = await mates();
    await alice.ok('PUT', `/profile/${alice.userId}/displayname`, { displayname: 'Alice' });
    const { end } = (await bob.v1('GET', '/initialSync')).body;
    await setV1(alice, 'free_for_chat');
    const content = { user_id: alice.userId, presence: 'free_for_chat', displayname: 'Alice' };
    const told = async (path: string, key = 'presence'): Promise<PresenceEvent[]> =>
      (await bob.v1('GET', path)).body[key].filter(
        ({ type, content: { user_id: userId } }: PresenceEvent) => type === 'm.presence' && userId === alice.userId,
      );
    expect(await told(`/events?from=${end}&timeout=0`, 'chunk')).toMatchObject([{ content }]);
    expect(await told('/initialSync')).toMatchObject([{ content }]);
    expect(await told(`${roomPath(roomId)}/initialSync`)).toMatchObject([{ content }]);
    const [today] = (await bob.ok('GET', '/initialSync')).presence.filter(
      ({ sender }: PresenceEvent) => sender === alice.userId,
    );
    expect(today).toMatchObject({ content: { user_id: alice.userId, presence: 'online' } });
  });

  it('are told anew with another name and with another picture, with what else is told next', async () => {
    const [{ alice, bob }, stranger] = [await mates(), await someone()];
    await setV1(alice, 'free_for_chat');
    let { end } = (await bob.v1('GET', '/initialSync')).body;
    for (const [key, value] of Object.entries({ displayname: 'Alice', avatar_url: 'mxc://a/b' })) {
      await alice.ok('PUT', `/profile/${alice.userId}/${key}`, { [key]: value });
      await app.settled();
      await setV1(stranger, key === 'displayname' ? 'busy' : 'free_for_chat');
      const told = async (): Promise<unknown> => {
        const { chunk, end: next } = (await bob.v1('GET', `/events?from=${end}&timeout=0`)).body;
        const events = (chunk as PresenceEvent[]).filter(
          ({ type, content }) => type === 'm.presence' && content.user_id === alice.userId,
        );
        if (events.length > 0) end = next;
        return events;
      };
      const content = { user_id: alice.userId, presence: 'free_for_chat', [key]: value };
      await expect.poll(told).toMatchObject([{ content }]);
    }
  });

  it('tell nobody of what who hides does or says, and last until another is chosen', async () => {
    const { alice, bob, roomId } = await mates();
    const phone = await alice.logIn();
    await alice.sync();
    await setV1(alice, 'hidden');
    const before = await bob.ok('GET', statusPath(alice));
    const since = (await look(bob)).next_batch;
    await alice.v1('PUT', statusPath(alice), { presence: 'hidden', status_msg: 'SECRET' });
    await phone.sync();
    await phone.send(roomId, 'from behind');
    const answer = await look(bob, since);
    // Between two tellings a moment passes: that Alice is gone may be told once more.
    for (const { content } of eventsOf(answer)) expect(content).toMatchObject({ presence: 'offline' });
    expect(JSON.stringify(answer)).not.toContain('SECRET');
    const after = await bob.ok('GET', statusPath(alice));
    expect(after).toEqual({ presence: 'offline', last_active_ago: expect.any(Number) });
    expect(after.last_active_ago).toBeGreaterThanOrEqual(before.last_active_ago);
    expect((await alice.v1('GET', statusPath(alice))).body).toMatchObject({ presence: 'hidden', status_msg: 'SECRET' });
    await set(alice, 'online');
    expect(eventsOf(await look(bob, answer.next_batch, 20_000))).toMatchObject([{ content: { presence: 'online' } }]);
  });
});

describe('who is told of presence', () => {
  interface Case {
    readonly alice: SyncUser;
    readonly bob: SyncUser;
    readonly roomId: string;
  }
  const ignore = (who: SyncUser, whom: SyncUser): Promise<unknown> =>
    who.ok('PUT', `/user/${who.userId}/account_data/m.ignored_user_list`, { ignored_users: { [whom.userId]: {} } });

  /** What becomes of bob, who looks at alice: whether /sync and the like tell of her then, and whether he may ask. */
  const CASES: Readonly<Record<string, readonly [(one: Case) => Promise<unknown>, told: boolean, asked: boolean]>> = {
    'shares a room': [async () => undefined, true, true],
    'has left': [({ bob, roomId }) => bob.leave(roomId), false, false],
    'was put out': [
      ({ alice, bob, roomId }) => alice.ok('POST', `${roomPath(roomId)}/kick`, { user_id: bob.userId }),
      false,
      false,
    ],
    'is but invited': [
      async ({ alice, bob, roomId }) => {
        await bob.leave(roomId);
        await alice.ok('POST', `${roomPath(roomId)}/invite`, { user_id: bob.userId });
      },
      false,
      false,
    ],
    'was left': [({ alice, roomId }) => alice.leave(roomId), false, false],
    'ignores her': [({ alice, bob }) => ignore(bob, alice), false, true],
    'is ignored by her': [({ alice, bob }) => ignore(alice, bob), true, true],
  };

  it.each(Object.entries(CASES))('one who %s', async (_, [happens, isTold, mayAsk]) => {
    const { alice, bob, roomId } = await mates();
    const token = (await look(bob)).next_batch;
    await happens({ alice, bob, roomId });
    await app.settled();
    const { next_batch: since } = await look(bob, token);
    const { end } = (await bob.v1('GET', '/initialSync')).body;
    await set(alice, 'online', 'WATCHED');
    const answers: readonly unknown[] = [
      await look(bob, since),
      await look(bob),
      (await bob.v1('GET', `/events?from=${end}&timeout=0`)).body,
      (await bob.v1('GET', '/initialSync')).body,
      await bob.ok('GET', '/initialSync'),
      (await bob.v1('GET', `${roomPath(roomId)}/initialSync`)).body,
    ];
    expect(answers.map((answer) => JSON.stringify(answer).includes('WATCHED'))).toEqual(answers.map(() => isTold));
    for (const { status, body } of [await bob.call('GET', statusPath(alice)), await bob.v1('GET', statusPath(alice))]) {
      expect([status, body.errcode]).toEqual(mayAsk ? [200, undefined] : [403, 'M_FORBIDDEN']);
    }
  });

  it('does not learn who has an account, and guests may not ask', async () => {
    const [alice, stranger] = [await someone(), await someone()];
    const ask = (userId: string): Promise<unknown> => alice.call('GET', `/presence/${userId}/status`);
    expect(await ask(stranger.userId)).toEqual(await ask('@nobody:a.example'));
    const guest = await app.call('POST', '/_matrix/client/v3/register?kind=guest', undefined, {});
    const path = `/_matrix/client/v3/presence/${guest.body.user_id}/status`;
    expect((await app.call('GET', path, guest.body.access_token)).body.errcode).toBe('M_GUEST_ACCESS_FORBIDDEN');
  });

  it('hears of who comes into a room, and who comes hears of who is there', async () => {
    const [alice, bob] = [await someone(), await someone()];
    await set(alice, 'unavailable');
    await set(bob, 'online');
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const [since, behind] = [(await look(alice)).next_batch, (await look(bob)).next_batch];
    await bob.join(roomId);
    expect(eventsOf(await look(alice, since, 20_000))).toMatchObject([
      { sender: bob.userId, content: { presence: 'online' } },
    ]);
    const answer = await look(bob, behind);
    expect(eventsOf(answer)).toMatchObject([{ sender: alice.userId, content: { presence: 'online' } }]);
    await bob.ok('PUT', `/profile/${bob.userId}/displayname`, { displayname: 'Bobby' });
    await app.settled();
    expect(eventsOf(await look(bob, answer.next_batch)).map(({ sender }) => sender)).not.toContain(alice.userId);
  });

  it('does not hear of who reads along from outside', async () => {
    const [alice, peeker] = [await someone(), await someone()];
    const visible = { type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } };
    const roomId = await alice.createRoom({ preset: 'public_chat', initial_state: [visible] });
    const query = queryOf({ room_id: roomId, timeout: 0 });
    const { end } = await peeker.ok('GET', `/events?${query}`);
    await set(alice, 'online', 'WATCHED');
    const { chunk } = await peeker.ok('GET', `/events?${query}&from=${end}`);
    const { presence } = await peeker.ok('GET', `${roomPath(roomId)}/initialSync`);
    expect([chunk, presence]).toEqual([[], []]);
  });

  it('hears nothing more of an account that is closed, of which nothing is kept', async () => {
    const { alice, bob } = await mates();
    await set(alice, 'online', 'LAST WORDS');
    await alice.close();
    await app.settled();
    await expect.poll(async () => (await bob.call('GET', statusPath(alice))).status).toBe(403);
    await expect.poll(() => app.get(Presence).get(alice.userId as never)).toBeUndefined();
    expect(JSON.stringify(await look(bob))).not.toContain('LAST WORDS');
    await expect.poll(() => filesOfLog().includes('LAST WORDS')).toBe(false);
  });
});

describe('where presence is off', () => {
  let off: SyncApp;
  beforeAll(async () => void (off = await SyncApp.start(undefined, { ANNALS_PRESENCE: 'off' })));
  afterAll(() => off.close());

  it('everybody is offline, and what is set is let be', async () => {
    const [alice, bob] = [await off.register('alice'), await off.register('bob')];
    await bob.join(await alice.createRoom({ preset: 'public_chat' }));
    await set(alice, 'online', 'here');
    await alice.sync();
    expect(await bob.ok('GET', statusPath(alice))).toEqual({ presence: 'offline' });
    const answer = await bob.sync();
    expect([answer.presence, answer.next_batch]).toEqual([{ events: [] }, expect.not.stringContaining('_p')]);
    expect((await bob.v1('GET', '/initialSync')).body.presence).toEqual([]);
  });
});

describe('after a restart', () => {
  it('tells clients who is there now, who is not any more, when they were there, and what they had chosen', async () => {
    const house = await SyncApp.start(undefined, { ANNALS_PRESENCE: 'on' });
    try {
      const [alice, bob, carol, dave] = await Promise.all(
        ['alice', 'bob', 'carol', 'dave'].map((name) => house.register(name)),
      );
      const roomId = await alice!.createRoom({ preset: 'public_chat' });
      for (const one of [bob!, carol!, dave!]) await one.join(roomId);
      await setV1(carol!, 'hidden');
      await set(bob!, 'online', 'reading');
      await alice!.sync();
      const since = (await look(dave!)).next_batch;
      await house.settled();
      await house.restart();
      await alice!.sync();
      await carol!.sync();
      const answer = await look(dave!, since);
      expect(eventsOf(answer)).toMatchObject([{ sender: alice!.userId, content: { presence: 'online' } }]);
      const waiting = look(dave!, answer.next_batch, 20_000);
      await house.get(Presence).endGrace();
      expect(eventsOf(await waiting)).toMatchObject([
        {
          sender: bob!.userId,
          content: { presence: 'offline', status_msg: 'reading', last_active_ago: expect.any(Number) },
        },
      ]);
      expect((await carol!.v1('GET', statusPath(carol!))).body.presence).toBe('hidden');
      expect((await dave!.ok('GET', statusPath(carol!))).presence).toBe('offline');
    } finally {
      await house.close();
    }
  });
});
