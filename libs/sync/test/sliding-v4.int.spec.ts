import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StableSlidingClient } from '#testing/sliding-client';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

const CREATE = { type: 'm.room.create', state_key: '' };
const LIST = { range: [0, 19], required_state: { include: [CREATE] }, timeline_limit: 1 };
const listing = (more: object = {}, others: object = {}): object => ({
  lists: { all: { ...LIST, ...more } },
  ...others,
});

interface Told {
  readonly type: string;
  readonly state_key?: string;
  readonly content?: { readonly body?: string };
}

const keysOf = (events: readonly Told[] = []): string[] =>
  events.map(({ type, state_key: key }) => `${type}|${key}`).toSorted();

describe('sliding sync as of MSC4186', () => {
  let app: SyncApp;
  let users = 0;
  const person = (): Promise<SyncUser> => app.register(`person${users++}`);

  beforeAll(async () => {
    app = await SyncApp.start();
  });
  afterAll(() => app.close());

  it('tells rooms with their lists and what the user is there, and no unread counts', async () => {
    const alice = await person();
    const room = await alice.createRoom({ name: 'pub' });
    const client = new StableSlidingClient(alice);
    const first = await client.next(listing());
    expect(first.lists).toEqual({ all: { count: 1 } });
    expect(first.rooms[room]).toMatchObject({
      initial: true,
      membership: 'join',
      lists: ['all'],
      name: 'pub',
      joined_count: 1,
      num_live: 0,
    });
    expect(keysOf(first.rooms[room].required_state)).toEqual(['m.room.create|']);
    for (const key of ['notification_count', 'highlight_count', 'avatar', 'is_dm', 'stripped_state'])
      expect(first.rooms[room]).not.toHaveProperty(key);
    const waiting = client.next(listing(), 30_000);
    await alice.send(room, 'hello');
    const { rooms } = await waiting;
    expect(rooms[room].timeline.map(({ content }: Told) => content?.body)).toEqual(['hello']);
    expect(rooms[room]).toMatchObject({ membership: 'join', lists: ['all'], limited: false, num_live: 1 });
  });

  it('says by null that a room has no name any more', async () => {
    const alice = await person();
    const room = await alice.createRoom({ name: 'pub' });
    const client = new StableSlidingClient(alice);
    await client.next(listing());
    await alice.setState(room, 'm.room.name', {});
    expect((await client.next(listing())).rooms[room].name).toBeNull();
    const { rooms } = await new StableSlidingClient(await alice.logIn()).next(listing());
    expect(rooms[room]).not.toHaveProperty('name');
  });

  it('says so where the event that gave it its name is redacted, and who is in it then', async () => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(room);
    const event = await alice.setState(room, 'm.room.name', { name: 'pub' });
    const client = new StableSlidingClient(bob);
    expect((await client.next(listing())).rooms[room].name).toBe('pub');
    await alice.ok('PUT', `${roomPath(room)}/redact/${encodeURIComponent(event)}/r1`, {});
    expect((await client.next(listing())).rooms[room]).toMatchObject({
      name: null,
      heroes: [{ user_id: alice.userId }],
      joined_count: 2,
    });
  });

  it('says what those are called by whom a room is called once the events that named them are redacted', async () => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(room);
    const callHer = (displayname: string): Promise<string> =>
      alice.setState(room, 'm.room.member', { membership: 'join', displayname }, alice.userId);
    const redact = (event: string): Promise<unknown> =>
      alice.ok('PUT', `${roomPath(room)}/redact/${encodeURIComponent(event)}/r${event.slice(1, 9)}`, {});
    const [before, now] = [await callHer('Alice'), await callHer('Al')];
    const client = new StableSlidingClient(bob);
    expect((await client.next(listing())).rooms[room].heroes).toEqual([{ user_id: alice.userId, displayname: 'Al' }]);
    await redact(before);
    expect((await client.next(listing())).rooms[room]).not.toHaveProperty('heroes');
    await redact(now);
    expect((await client.next(listing())).rooms[room].heroes).toEqual([{ user_id: alice.userId }]);
  });

  it('tells who was put out of a room that its name was redacted before', async () => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(room);
    const event = await alice.setState(room, 'm.room.name', { name: 'pub' });
    const client = new StableSlidingClient(bob);
    await client.next(listing({ timeline_limit: 9 }));
    await alice.ok('PUT', `${roomPath(room)}/redact/${encodeURIComponent(event)}/r1`, {});
    await alice.ok('POST', `${roomPath(room)}/kick`, { user_id: bob.userId });
    const { rooms } = await client.next(listing({ timeline_limit: 9 }));
    expect(rooms[room]).toMatchObject({ membership: 'leave', limited: false, name: null });
    expect(rooms[room]).not.toHaveProperty('avatar');
  });

  it('takes what is included and not excluded of the state, and members as they are needed', async () => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(room);
    await alice.send(room, 'x');
    const of = async (required_state: object): Promise<string[]> => {
      const client = new StableSlidingClient(alice);
      return keysOf((await client.next(listing({ required_state }))).rooms[room].required_state);
    };
    const members = [alice, bob].map(({ userId }) => `m.room.member|${userId}`).toSorted();
    const all = await of({ include: [{}] });
    expect(all).toEqual(expect.arrayContaining(['m.room.create|', ...members]));
    expect(await of({ include: [{}], exclude: [CREATE] })).toEqual(all.filter((key) => key !== 'm.room.create|'));
    expect(await of({ include: [{}], lazy_members: true })).toEqual(all.filter((key) => !key.endsWith(bob.userId)));
    expect(await of({ include: [{ state_key: bob.userId }] })).toEqual([`m.room.member|${bob.userId}`]);
    expect(await of({})).toEqual([]);
  });

  it('tells of an invitation its stripped state, and asks for invitations by is_invited', async () => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ invite: [bob.userId] });
    const { rooms } = await new StableSlidingClient(bob).next(listing({ filters: { is_invited: true } }));
    expect(rooms[room]).toMatchObject({ initial: true, membership: 'invite', lists: ['all'] });
    expect(keysOf(rooms[room].stripped_state)).toContain(`m.room.member|${bob.userId}`);
    expect(rooms[room]).not.toHaveProperty('required_state');
  });

  it('tells the whole of a stay again to who was invited since, or knocked, and did not come: with that they let go of it', async () => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ preset: 'public_chat', name: 'pub' });
    await bob.join(room);
    await bob.send(room, 'of the stay');
    const ask = { room_subscriptions: { [room]: { required_state: { include: [CREATE] }, timeline_limit: 9 } } };
    const [client, listed] = [new StableSlidingClient(bob, 'one'), new StableSlidingClient(bob, 'list')];
    await client.next(ask);
    await listed.next(listing());
    await bob.leave(room);
    await client.next(ask);
    await alice.setState(room, 'm.room.join_rules', { join_rule: 'knock' });
    const onTheWay = [
      () => alice.ok('POST', `${roomPath(room)}/invite`, { user_id: bob.userId }),
      () => bob.ok('POST', `/knock/${encodeURIComponent(room)}`, {}),
    ];
    for (const come of onTheWay) {
      await come();
      expect((await client.next(ask)).rooms[room]).toMatchObject({ initial: true, stripped_state: expect.any(Array) });
      await listed.next(listing());
      await bob.leave(room);
      const told = (await client.next(ask)).rooms[room];
      expect(told).toMatchObject({ initial: true, membership: 'leave', name: 'pub' });
      expect(keysOf(told.required_state)).toContain('m.room.create|');
      expect(JSON.stringify(told.timeline)).toContain('of the stay');
      expect(await client.next(ask)).toMatchObject({ rooms: {} });
      expect((await listed.next(listing())).rooms[room]).toMatchObject({ initial: true, membership: 'leave' });
      expect(await listed.next(listing())).toMatchObject({ rooms: {}, lists: { all: { count: 0 } } });
    }
  });

  it('tells more of the timeline as more is asked for, and that it does', async () => {
    const alice = await person();
    const room = await alice.createRoom();
    for (let n = 0; n < 3; n++) await alice.send(room, `m${n}`);
    const client = new StableSlidingClient(alice);
    await client.next(listing());
    const { rooms } = await client.next({ room_subscriptions: { [room]: { required_state: {}, timeline_limit: 3 } } });
    expect(rooms[room].expanded_timeline).toBe(true);
    expect(rooms[room].timeline).toHaveLength(3);
    expect(rooms[room]).not.toHaveProperty('lists');
  });

  it('has a whole list where no range is asked for', async () => {
    const alice = await person();
    for (let n = 0; n < 3; n++) await alice.createRoom();
    const { rooms } = await new StableSlidingClient(alice).next(listing({ range: undefined }));
    expect(Object.keys(rooms)).toHaveLength(3);
  });

  it('gives places that pages of a room begin at', async () => {
    const alice = await person();
    const room = await alice.createRoom();
    const client = new StableSlidingClient(alice);
    const { pos } = await client.next(listing());
    const event = await alice.send(room, 'later');
    const { chunk } = await alice.ok('GET', `${roomPath(room)}/messages?dir=f&from=${encodeURIComponent(pos)}`);
    expect(chunk.map(({ event_id: id }: { event_id: string }) => id)).toEqual([event]);
  });

  it('refuses what is not of the expected form, and too much', async () => {
    const client = new StableSlidingClient(await person());
    const subscription = { required_state: {}, timeline_limit: 1 };
    const many = Array.from({ length: 101 }, (_, n) => [`!r${n}:x`, subscription] as const);
    const wrong: object[] = [
      listing({ range: [1, 0] }),
      listing({ range: [[0, 1]] }),
      listing({ required_state: undefined }),
      listing({ required_state: [['m.room.create', '']] }),
      listing({ required_state: { include: ['m.room.create'] } }),
      listing({ required_state: { lazy_members: 'yes' } }),
      { lists: { 'not opaque': LIST } },
      { lists: { '': LIST } },
      { room_subscriptions: Object.fromEntries(many) },
      { set_presence: 'asleep' },
    ];
    for (const body of wrong) {
      const answer = await client.ask(body);
      expect([body, answer.status, answer.body.errcode]).toEqual([body, 400, 'M_INVALID_PARAM']);
    }
    client.pos = 'nonsense';
    expect((await client.ask({})).body.errcode).toBe('M_UNKNOWN_POS');
  });
});
