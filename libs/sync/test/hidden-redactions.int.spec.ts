import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SlidingClient, StableSlidingClient } from '#testing/sliding-client';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/** What a redaction takes away is told to who is not shown the redaction: of somebody they ignore, or that their filter leaves out. */

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let carol: SyncUser;
let count = 0;

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, bob, carol] = [await app.register('alice'), await app.register('bob'), await app.register('carol')];
  await alice.ok('PUT', `/user/${alice.userId}/account_data/m.ignored_user_list`, {
    ignored_users: { [bob.userId]: {} },
  });
});
afterAll(() => app.close());

const LISTING = { lists: { all: { range: [0, 19], required_state: {}, timeline_limit: 9 } } };
const OLD_LISTING = { lists: { all: { ranges: [[0, 19]], required_state: [], timeline_limit: 9 } } };

/** A room of bob's with alice and carol in it. */
async function sharedRoom(): Promise<string> {
  const room = await bob.createRoom({ preset: 'public_chat' });
  await carol.join(room);
  await alice.join(room);
  return room;
}

const redact = (room: string, event: string, by = bob): Promise<unknown> =>
  by.ok('PUT', `${roomPath(room)}/redact/${encodeURIComponent(event)}/r${count++}`, {});

const callHer = (room: string, displayname: string): Promise<string> =>
  carol.setState(room, 'm.room.member', { membership: 'join', displayname }, carol.userId);

async function aliasOf(room: string): Promise<string> {
  const alias = `#hidden${count++}:${bob.userId.split(':').slice(1).join(':')}`;
  await bob.ok('PUT', `/directory/room/${encodeURIComponent(alias)}`, { room_id: room });
  return bob.setState(room, 'm.room.canonical_alias', { alias });
}

const heroes = (...names: (string | undefined)[]): object[] =>
  [bob, carol].map(({ userId }, i) =>
    expect.objectContaining(names[i] === undefined ? { user_id: userId } : { user_id: userId, displayname: names[i] }),
  );

interface Told {
  readonly type: string;
}

interface Taken {
  /** Sets it, and answers the event that does. */
  set(room: string): Promise<string>;
  /** What is told of the room once that event is redacted. */
  readonly told: object;
}

const TAKEN: Readonly<Record<string, Taken>> = {
  name: { set: (room) => bob.setState(room, 'm.room.name', { name: 'pub' }), told: { name: null } },
  avatar: { set: (room) => bob.setState(room, 'm.room.avatar', { url: 'mxc://x/y' }), told: { avatar: null } },
  'canonical alias': { set: aliasOf, told: { joined_count: 3 } },
  "hero's name": { set: (room) => callHer(room, 'Caz'), told: {} },
};

describe('a redaction by somebody whom the reader ignores', () => {
  it.each(Object.entries(TAKEN))(
    'tells sliding sync what became of the %s, and is not told itself',
    async (what, taken) => {
      const room = await sharedRoom();
      const event = await taken.set(room);
      const [client, old] = [new StableSlidingClient(alice), new SlidingClient(alice, 'old')];
      await client.next(LISTING);
      await old.next(OLD_LISTING);
      const [waiting, waitingOld] = [client.next(LISTING, 30_000), old.next(OLD_LISTING, 30_000)];
      await redact(room, event);
      for (const { rooms } of [await waiting, await waitingOld]) {
        expect(Object.keys(rooms)).toEqual([room]);
        expect(rooms[room].timeline ?? []).toEqual([]);
        expect(rooms[room]).not.toHaveProperty('initial', true);
      }
      const told = (await waiting).rooms[room];
      expect(told).toMatchObject(taken.told);
      if (what !== 'avatar') expect(told.heroes).toEqual(heroes());
      for (const hero of told.heroes ?? []) expect(hero.displayname).not.toBe('Caz');
      expect((await client.next(LISTING)).rooms).toEqual({});
    },
  );

  it('tells who was put out of the room since that it had lost its name and avatar', async () => {
    const room = await sharedRoom();
    const events = [await TAKEN['name']!.set(room), await TAKEN['avatar']!.set(room)];
    const client = new StableSlidingClient(alice);
    await client.next(LISTING);
    for (const event of events) await redact(room, event);
    await bob.ok('POST', `${roomPath(room)}/kick`, { user_id: alice.userId });
    const { rooms } = await client.next(LISTING);
    expect(rooms[room]).toMatchObject({ membership: 'leave', limited: false, name: null, avatar: null });
  });

  it('that takes nothing which is told of a room is no news', async () => {
    const room = await sharedRoom();
    await bob.setState(room, 'm.room.name', { name: 'pub' });
    const events = [
      await carol.send(room, 'rude'),
      await bob.setState(room, 'm.room.topic', { topic: 'rude' }),
      await callHer(room, 'Rude'), // who is no hero of a room with a name
      await bob.setState(room, 'm.room.name', { name: 'rude' }),
      await bob.setState(room, 'm.room.name', { name: 'pub' }),
    ];
    const client = new StableSlidingClient(alice);
    await client.next(LISTING);
    const [rude, , , past] = events;
    const { next_batch: since } = await alice.sync();
    for (const event of [rude!, past!]) await redact(room, event);
    expect(await alice.sync({ since })).not.toHaveProperty('rooms');
    for (const event of events.slice(1, 3)) await redact(room, event);
    expect((await client.next(LISTING)).rooms).toEqual({});
  });

  it.each(['name', 'canonical alias'])('tells /sync the summary of a room that has lost its %s', async (what) => {
    const room = await sharedRoom();
    const event = await TAKEN[what]!.set(room);
    const { next_batch: since } = await alice.sync();
    const waiting = alice.sync({ since, timeout: 30_000 });
    await redact(room, event);
    const { rooms } = await waiting;
    expect(rooms.join[room].summary).toMatchObject({ 'm.heroes': [bob.userId, carol.userId] });
    const { timeline, state } = rooms.join[room];
    expect([timeline.events, state.events]).toEqual([[], [expect.objectContaining({ event_id: event, content: {} })]]);
  });

  it.each(['state', 'org.matrix.msc4222.state_after'])(
    'tells in `%s` of /sync what is left of the state',
    async (section) => {
      const room = await sharedRoom();
      const topic = await bob.setState(room, 'm.room.topic', { topic: 'rude' });
      const overtaken = await bob.setState(room, 'm.room.name', { name: 'rude' });
      const isAfter = section !== 'state' && { 'org.matrix.msc4222.use_state_after': true };
      const { next_batch: since } = await alice.sync({ ...isAfter });
      await bob.setState(room, 'm.room.name', { name: 'kind' });
      for (const event of [topic, overtaken]) await redact(room, event);
      const { rooms, next_batch: then } = await alice.sync({ ...isAfter, since });
      const told: Told[] = rooms.join[room][section].events.filter(({ type }: Told) => type !== 'm.room.name');
      expect(told).toEqual([expect.objectContaining({ event_id: topic, content: {} })]);
      expect(JSON.stringify(rooms)).not.toContain('rude');
      expect(await alice.sync({ ...isAfter, since: then })).not.toHaveProperty('rooms');
    },
  );

  it('tells what is left once, however often it is redacted', async () => {
    const room = await sharedRoom();
    const topic = await bob.setState(room, 'm.room.topic', { topic: 'rude' });
    const { next_batch: first } = await alice.sync();
    await redact(room, topic);
    const { next_batch: since } = await alice.sync({ since: first });
    await redact(room, topic);
    expect(await alice.sync({ since })).not.toHaveProperty('rooms');
  });

  it('tells sliding sync what is left of the state that is wanted', async () => {
    const room = await sharedRoom();
    const topic = await bob.setState(room, 'm.room.topic', { topic: 'rude' });
    const ask = (type: string): object => ({
      lists: { all: { ...LISTING.lists.all, required_state: { include: [{ type }] } } },
    });
    const [client, other] = [new StableSlidingClient(alice, 'one'), new StableSlidingClient(alice, 'other')];
    await client.next(ask('m.room.topic'));
    await other.next(ask('m.room.name'));
    await redact(room, topic);
    const { rooms } = await client.next(ask('m.room.topic'));
    expect(rooms[room].required_state).toEqual([expect.objectContaining({ event_id: topic, content: {} })]);
    expect((await client.next(ask('m.room.topic'))).rooms).toEqual({});
    expect((await other.next(ask('m.room.name'))).rooms).toEqual({});
  });
});

describe.each(['bob', 'carol'])('a redaction by %s in what a limited timeline leaves out', (name) => {
  const by = (): SyncUser => (name === 'bob' ? bob : carol);

  /** A room where carol may redact as bob may. */
  async function moderated(): Promise<string> {
    const room = await sharedRoom();
    await bob.setState(room, 'm.room.power_levels', { users: { [carol.userId]: 50 } });
    return room;
  }

  it.each([
    ['state', 0],
    ['state', 2],
    ['org.matrix.msc4222.state_after', 2],
  ])('leaves what is left of the state to be told in `%s` with %i events, once', async (section, limit) => {
    const room = await moderated();
    const topic = await bob.setState(room, 'm.room.topic', { topic: 'rude' });
    const isAfter = section !== 'state' && { 'org.matrix.msc4222.use_state_after': true };
    const how = { ...isAfter, filter: { room: { timeline: { limit } } } };
    const { next_batch: since } = await alice.sync(how);
    await redact(room, topic, by());
    for (const body of ['one', 'two', 'three']) await carol.send(room, body);
    const { rooms, next_batch: then } = await alice.sync({ ...how, since });
    expect(rooms.join[room].timeline).toMatchObject({ limited: true });
    expect(rooms.join[room][section].events).toEqual([expect.objectContaining({ event_id: topic, content: {} })]);
    await carol.send(room, 'four');
    await carol.send(room, 'five');
    expect((await alice.sync({ ...how, since: then })).rooms.join[room][section].events).toEqual([]);
  });

  it('leaves it to be told in sliding sync', async () => {
    const room = await moderated();
    const topic = await bob.setState(room, 'm.room.topic', { topic: 'rude' });
    const ask = { lists: { all: { ...LISTING.lists.all, timeline_limit: 1, required_state: { include: [{}] } } } };
    const client = new StableSlidingClient(alice);
    await client.next(ask);
    await redact(room, topic, by());
    for (const body of ['one', 'two']) await carol.send(room, body);
    const { rooms } = await client.next(ask);
    expect(rooms[room].required_state).toEqual([expect.objectContaining({ event_id: topic, content: {} })]);
    expect((await client.next(ask)).rooms).toEqual({});
  });
});

it.each([StableSlidingClient, SlidingClient])(
  'a member event that was redacted while its member was not needed is told again once they are',
  async (Shape) => {
    const room = await sharedRoom();
    const event = await callHer(room, 'Rude');
    await carol.send(room, 'of carol');
    const isStable = Shape === StableSlidingClient;
    const lazy = isStable ? { lazy_members: true } : [['m.room.member', '$LAZY']];
    const ask = { room_subscriptions: { [room]: { timeline_limit: 1, required_state: lazy } } };
    const client = new Shape(alice, 'lazy');
    const told = async (): Promise<unknown> => (await client.next(ask)).rooms[room].required_state;
    const asItIs = (displayname?: string): object =>
      expect.objectContaining({
        event_id: event,
        content: { membership: 'join', ...(displayname && { displayname }) },
      });
    expect(await told()).toContainEqual(asItIs('Rude'));
    await redact(room, event);
    for (const body of ['one', 'two']) await alice.send(room, body);
    expect(await told()).not.toContainEqual(expect.objectContaining({ event_id: event }));
    await carol.send(room, 'once more');
    expect(await told()).toEqual([asItIs()]);
    await carol.send(room, 'and again');
    expect(await told()).toEqual([]);
  },
);

describe('a filter for messages alone', () => {
  const filter = JSON.stringify({ room: { timeline: { types: ['m.room.message'] }, state: { types: [] } } });

  it('leaves the summary of a room whose name was redacted', async () => {
    const room = await sharedRoom();
    const event = await TAKEN['name']!.set(room);
    const { next_batch: since } = await carol.sync({ filter });
    const waiting = carol.sync({ since, filter, timeout: 30_000 });
    await redact(room, event);
    expect((await waiting).rooms.join[room]).toMatchObject({
      summary: { 'm.heroes': [bob.userId, alice.userId] },
      timeline: { events: [], limited: false },
    });
  });

  it('leaves how many are in a room that somebody joined', async () => {
    const room = await sharedRoom();
    const { next_batch: since } = await carol.sync({ filter });
    const waiting = carol.sync({ since, filter, timeout: 30_000 });
    await (await app.register(`dave${count++}`)).join(room);
    expect((await waiting).rooms.join[room].summary).toMatchObject({ 'm.joined_member_count': 4 });
  });

  it('takes what its user calls themself for no news of the room', async () => {
    const room = await sharedRoom();
    const { next_batch: since } = await carol.sync({ filter });
    await callHer(room, 'Carol the second');
    expect((await carol.sync({ since, filter })).rooms).toBeUndefined();
  });
});
