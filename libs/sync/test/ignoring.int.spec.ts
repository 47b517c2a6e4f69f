import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SlidingClient } from '#testing/sliding-client';
import { queryOf, roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/** Client-server API, "Ignoring Users": what those say whom one ignores is left out everywhere, what they are and set is not. */

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let roomId: string;
let since: string;
let plain: string;
let muted: string;
let answer: string;

const ignore = (who: SyncUser, ...users: SyncUser[]): Promise<unknown> =>
  who.ok('PUT', `/user/${who.userId}/account_data/m.ignored_user_list`, {
    ignored_users: Object.fromEntries(users.map(({ userId }) => [userId, {}])),
  });

beforeAll(async () => {
  app = await SyncApp.start();
  alice = await app.register('alice');
  bob = await app.register('bob');
  roomId = await alice.createRoom({ preset: 'public_chat', power_level_content_override: { state_default: 0 } });
  await bob.join(roomId);
  await ignore(alice, bob, alice);
  since = (await alice.sync()).next_batch;
  plain = await alice.send(roomId, 'of alice');
  muted = await bob.send(roomId, 'MUTED');
  answer = await alice.send(roomId, 'answer', { 'm.relates_to': { rel_type: 'm.thread', event_id: muted } });
  await bob.send(roomId, 'MUTED', { 'm.relates_to': { rel_type: 'm.thread', event_id: plain } });
  await alice.send(roomId, 'thread of alice', { 'm.relates_to': { rel_type: 'm.thread', event_id: plain } });
  await bob.setState(roomId, 'm.room.topic', { topic: 'topic of bob' });
});
afterAll(() => app.close());

interface Way {
  /** Words of the reader's own that are in the answer. */
  readonly own?: string;
  /** State of the ignored is in the answer too. */
  readonly state?: boolean;
  ask(): Promise<unknown>;
}

const v1 = async (path: string): Promise<unknown> => (await alice.v1('GET', path)).body;

const WAYS: Readonly<Record<string, Way>> = {
  '/sync': { own: 'of alice', state: true, ask: () => alice.sync() },
  '/sync since then': { own: 'of alice', state: true, ask: () => alice.sync({ since }) },
  '/messages': { own: 'of alice', state: true, ask: () => alice.ok('GET', `${roomPath(roomId)}/messages?dir=b`) },
  '/messages forwards': {
    own: 'of alice',
    state: true,
    ask: () => alice.ok('GET', `${roomPath(roomId)}/messages?dir=f&limit=50`),
  },
  '/context': { own: 'of alice', state: true, ask: () => alice.ok('GET', `${roomPath(roomId)}/context/${plain}`) },
  '/relations': {
    own: 'thread of alice',
    ask: () => alice.ok('GET', `/_matrix/client/v1${roomPath(roomId)}/relations/${plain}`),
  },
  '/initialSync': { own: 'of alice', state: true, ask: () => alice.ok('GET', '/initialSync') },
  '/initialSync of the room': {
    own: 'of alice',
    state: true,
    ask: () => alice.ok('GET', `${roomPath(roomId)}/initialSync`),
  },
  '/events': { own: 'of alice', state: true, ask: () => alice.ok('GET', `/events?${queryOf({ from: since })}`) },
  '/events of the room': {
    own: 'of alice',
    state: true,
    ask: () => alice.ok('GET', `/events?${queryOf({ from: since, room_id: roomId })}`),
  },
  'messages of API v1': {
    own: 'of alice',
    state: true,
    ask: () => v1(`${roomPath(roomId)}/messages?from=END&to=START`),
  },
  'initialSync of API v1': { own: 'of alice', state: true, ask: () => v1('/initialSync') },
  'events of API v1': { own: 'of alice', state: true, ask: () => v1('/events?from=START&to=END') },
};

describe.each(Object.entries(WAYS))('%s', (_, { own, state, ask }) => {
  it('leaves out the messages of who is ignored, and nothing else', async () => {
    const text = JSON.stringify(await ask());
    expect(text).not.toContain('MUTED');
    if (own !== undefined) expect(text).toContain(own);
    if (state === true) expect(text).toContain('topic of bob');
  });

  it('leaves out nothing for who ignores nobody', async () => {
    await ignore(alice);
    try {
      expect(JSON.stringify(await ask())).toContain('MUTED');
    } finally {
      await ignore(alice, bob, alice);
    }
  });
});

describe('a message of somebody who is ignored', () => {
  it('is not found by its id, nor what surrounds it, but others may relate to it', async () => {
    for (const path of [
      `${roomPath(roomId)}/event/${muted}`,
      `${roomPath(roomId)}/context/${muted}`,
      `/events/${muted}`,
    ]) {
      expect((await alice.call('GET', path)).status, path).toBe(404);
      expect((await bob.call('GET', path)).status, path).toBe(200);
    }
    expect((await alice.v1('GET', `/events/${muted}`)).status).toBe(404);
    const { chunk } = await alice.ok('GET', `/_matrix/client/v1${roomPath(roomId)}/relations/${muted}`);
    expect(chunk.map((event: { event_id: string }) => event.event_id)).toEqual([answer]);
  });

  it('is not what a time is found by', async () => {
    const { origin_server_ts: time } = await bob.ok('GET', `${roomPath(roomId)}/event/${muted}`);
    const path = `/_matrix/client/v1${roomPath(roomId)}/timestamp_to_event?ts=${time}&dir=f`;
    expect((await alice.ok('GET', path)).event_id).toBe(answer);
    expect((await bob.ok('GET', path)).event_id).toBe(muted);
  });
});

describe('what happens in a room besides events', () => {
  it('is not told of who is ignored', async () => {
    const carol = await app.register('carol');
    await carol.join(roomId);
    const { next_batch: from } = await alice.sync();
    await bob.ok('PUT', `${roomPath(roomId)}/typing/${bob.userId}`, { typing: true, timeout: 60_000 });
    await bob.ok('POST', `${roomPath(roomId)}/receipt/m.read/${plain}`, {});
    await carol.ok('PUT', `${roomPath(roomId)}/typing/${carol.userId}`, { typing: true, timeout: 60_000 });
    await carol.ok('POST', `${roomPath(roomId)}/receipt/m.read/${plain}`, {});
    const answers = [
      (await alice.sync({ since: from })).rooms.join[roomId].ephemeral,
      (await alice.sync()).rooms.join[roomId].ephemeral,
      await alice.ok('GET', `/events?${queryOf({ from })}`),
      await alice.ok('GET', `/events?${queryOf({ from, room_id: roomId })}`),
      (await alice.ok('GET', '/initialSync')).receipts,
      (await alice.ok('GET', `${roomPath(roomId)}/initialSync`)).receipts,
    ];
    for (const [i, told] of answers.entries()) {
      expect(JSON.stringify(told), `answer ${i}`).toContain(carol.userId);
      expect(JSON.stringify(told), `answer ${i}`).not.toContain(bob.userId);
    }
    expect(JSON.stringify(await carol.sync({ since: from }))).toContain(bob.userId);
  });
});

describe('an invitation by somebody who is ignored', () => {
  it('is told nowhere', async () => {
    const { next_batch: from } = await alice.sync();
    const [client, another] = [new SlidingClient(alice, 'one'), new SlidingClient(alice, 'another')];
    const wanted = { lists: { all: { ranges: [[0, 99]], timeline_limit: 1, required_state: [] } } };
    await client.next(wanted);
    const room = await bob.createRoom({ name: 'TRAP', invite: [alice.userId] });
    const answers = [
      await alice.sync({ since: from }),
      await alice.sync(),
      await alice.ok('GET', '/initialSync'),
      await alice.ok('GET', `/events?${queryOf({ from })}`),
      await v1('/initialSync'),
      await v1('/events?from=START&to=END'),
      await client.next({ ...wanted, room_subscriptions: { [room]: { timeline_limit: 1, required_state: [] } } }),
      await another.next(wanted),
    ];
    for (const [i, told] of answers.entries()) expect(JSON.stringify(told), `answer ${i}`).not.toContain(room);
    await ignore(alice);
    expect((await alice.sync()).rooms.invite).toHaveProperty([room]);
    for (const one of [client, another])
      expect((await one.next(wanted)).rooms).toMatchObject({ [room]: { invite_state: expect.anything() } });
    await ignore(alice, bob, alice);
  });

  it('is not told either as what was before the event by which the invited joined or refused', async () => {
    const room = await bob.createRoom({ preset: 'public_chat' });
    const path = roomPath(room);
    await bob.ok('POST', `${path}/invite`, { user_id: alice.userId, reason: 'MUTED' });
    await alice.join(room);
    const { event_id: joined } = await alice.ok('GET', `${path}/state/m.room.member/${alice.userId}?format=event`);
    const told = [
      await alice.ok('GET', `${path}/event/${encodeURIComponent(joined)}`),
      await alice.ok('GET', `${path}/messages?dir=b`),
      await alice.ok('GET', `${path}/state`),
      await alice.sync(),
      await v1(`/events/${encodeURIComponent(joined)}`),
    ];
    expect(told.map((one) => JSON.stringify(one)).filter((text) => text.includes('MUTED'))).toEqual([]);
    expect(told[0].unsigned).toMatchObject({ membership: 'join', replaces_state: expect.any(String) });
  });
});

it('who was put out and is invited by somebody whom they ignore is told that they are not in the room any more', async () => {
  const [host, guest] = [await app.register('host'), await app.register('guest')];
  const [room, invited] = [await host.createRoom(), await host.createRoom()];
  const act = (what: string, inRoom: string): Promise<unknown> =>
    host.ok('POST', `${roomPath(inRoom)}/${what}`, { user_id: guest.userId });
  for (const id of [room, invited]) await act('invite', id);
  await guest.join(room);
  const known = await guest.sync();
  expect([Object.keys(known.rooms.join), Object.keys(known.rooms.invite)]).toEqual([[room], [invited]]);
  const client = new SlidingClient(guest);
  const wanted = { lists: { all: { ranges: [[0, 9]], timeline_limit: 3, required_state: [] } } };
  await client.next(wanted);
  await ignore(guest, host);
  for (const what of ['kick', 'invite']) for (const id of [room, invited]) await act(what, id);

  const told = await guest.sync({ since: known.next_batch });
  expect(Object.keys(told.rooms.leave).toSorted()).toEqual([room, invited].toSorted());
  expect(told.rooms.invite).toEqual({});
  expect((await guest.sync({ since: told.next_batch })).rooms).toBeUndefined();

  const { rooms } = await client.next(wanted);
  for (const id of [room, invited])
    expect(rooms[id]?.required_state).toMatchObject([{ state_key: guest.userId, content: { membership: 'leave' } }]);
  expect(await client.next(wanted)).toMatchObject({ rooms: {}, lists: { all: { count: 1 } } }); // that they were put out of
});
