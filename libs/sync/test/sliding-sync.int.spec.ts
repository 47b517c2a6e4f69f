import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SlidingClient } from '#testing/sliding-client';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

const LIST = { ranges: [[0, 19]], required_state: [['m.room.create', '']], timeline_limit: 1 };
const listing = (more: object = {}, others: object = {}): object => ({
  lists: { all: { ...LIST, ...more } },
  ...others,
});

interface Told {
  readonly type: string;
  readonly state_key?: string;
  readonly content: { readonly body?: string };
}

const keysOf = (events: readonly Told[] = []): string[] =>
  events.map(({ type, state_key: key }) => `${type}|${key}`).toSorted();
const withoutAges = (rooms: object): unknown =>
  JSON.parse(JSON.stringify(rooms, (key, value: unknown) => (key === 'age' ? undefined : value)));
const bodiesOf = (events: readonly Told[] = []): (string | undefined)[] => events.map(({ content }) => content.body);

describe('sliding sync', () => {
  let app: SyncApp;
  let users = 0;
  const person = (): Promise<SyncUser> => app.register(`person${users++}`);

  beforeAll(async () => {
    app = await SyncApp.start();
  });
  afterAll(() => app.close());

  it('tells the rooms in a range of a list, the last active first, then each in which something happens', async () => {
    const alice = await person();
    const rooms: string[] = [];
    for (const name of ['a', 'b', 'c']) rooms.push(await alice.createRoom({ name }));
    await alice.send(rooms[0]!, 'first again');
    const client = new SlidingClient(alice);
    const first = await client.next(listing({ ranges: [[0, 1]] }));
    expect(first.lists).toEqual({ all: { count: 3 } });
    expect(Object.keys(first.rooms)).toEqual([rooms[0], rooms[2]]);
    expect(first.rooms[rooms[0]!]).toMatchObject({
      initial: true,
      name: 'a',
      joined_count: 1,
      limited: true,
      num_live: 0,
    });
    expect(bodiesOf(first.rooms[rooms[0]!].timeline)).toEqual(['first again']);
    expect(first.rooms[rooms[0]!].timeline[0]).not.toHaveProperty('room_id');
    expect(keysOf(first.rooms[rooms[0]!].required_state)).toEqual(['m.room.create|']);
    expect(first.rooms[rooms[0]!].bump_stamp).toBeGreaterThan(first.rooms[rooms[2]!].bump_stamp);

    expect((await client.next(listing({ ranges: [[0, 1]] }))).rooms).toEqual({});

    await alice.send(rooms[0]!, 'more');
    const { rooms: live } = await client.next(listing({ ranges: [[0, 1]] }));
    expect(Object.keys(live)).toEqual([rooms[0]]);
    expect(live[rooms[0]!]).toMatchObject({ limited: false, num_live: 1 });
    expect(live[rooms[0]!]).not.toHaveProperty('initial');
    expect(live[rooms[0]!]).not.toHaveProperty('name');
    expect(bodiesOf(live[rooms[0]!].timeline)).toEqual(['more']);

    const { rooms: grown } = await client.next(listing({ ranges: [[0, 2]] }));
    expect(Object.keys(grown)).toEqual([rooms[1]]);
    expect(grown[rooms[1]!].initial).toBe(true);
  });

  it('tells a room that left the range all that happened meanwhile when it comes back', async () => {
    const alice = await person();
    const [one, other] = [await alice.createRoom(), await alice.createRoom()];
    const client = new SlidingClient(alice);
    const both = listing({ ranges: [[0, 1]], timeline_limit: 10 });
    const none = { room_subscriptions: { [other]: { required_state: [], timeline_limit: 1 } } };
    await client.next(both);
    await alice.send(one, 'unseen 1');
    await client.next(none);
    await alice.send(one, 'unseen 2');
    await client.next(none);
    const { rooms } = await client.next(both);
    expect(bodiesOf(rooms[one].timeline)).toEqual(['unseen 1', 'unseen 2']);
    expect(rooms[one]).toMatchObject({ limited: false, num_live: 0 });
    expect(rooms[one]).not.toHaveProperty('initial');
  });

  it('answers a request that is repeated with all that the lost answer told', async () => {
    const alice = await person();
    const [one, two] = [await alice.createRoom(), await alice.createRoom()];
    const client = new SlidingClient(alice);
    await client.next(listing({ ranges: [[0, 0]] }));
    await alice.send(two, 'lost');
    const wide = listing({ ranges: [[0, 1]] });
    const lost = await client.ask(wide);
    const again = await client.ask(wide);
    expect(Object.keys(again.body.rooms).toSorted()).toEqual([one, two].toSorted());
    expect(withoutAges(again.body.rooms)).toEqual(withoutAges(lost.body.rooms));
    client.pos = again.body.pos;
    expect((await client.next(wide)).rooms).toEqual({});
  });

  it('tells more of the timeline and of the state of a room as more is asked for, at once', async () => {
    const alice = await person();
    const room = await alice.createRoom({ name: 'pub', topic: 'beer' });
    for (let n = 0; n < 5; n++) await alice.send(room, `m${n}`);
    const client = new SlidingClient(alice);
    await client.next(listing());
    const subscribed = listing(
      {},
      {
        room_subscriptions: {
          [room]: {
            required_state: [
              ['m.room.topic', ''],
              ['m.room.name', ''],
            ],
            timeline_limit: 4,
          },
        },
      },
    );
    const { rooms } = await client.next(subscribed, 10_000);
    expect(rooms[room].unstable_expanded_timeline).toBe(true);
    expect(rooms[room]).not.toHaveProperty('initial');
    expect(bodiesOf(rooms[room].timeline)).toEqual(['m1', 'm2', 'm3', 'm4']);
    expect(rooms[room].num_live).toBe(0);
    expect(keysOf(rooms[room].required_state)).toContain('m.room.topic|');
    expect((await client.next(subscribed)).rooms).toEqual({});
    await alice.send(room, 'm5');
    expect(bodiesOf((await client.next(subscribed)).rooms[room].timeline)).toEqual(['m5']);
  });

  it('loads members lazily, and tells by name who asks', async () => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(room);
    await alice.send(room, 'from alice');
    const state = [
      ['m.room.member', '$LAZY'],
      ['m.room.member', '$ME'],
    ];
    const client = new SlidingClient(bob);
    const first = await client.next(listing({ required_state: state }));
    expect(keysOf(first.rooms[room].required_state)).toEqual(
      [`m.room.member|${alice.userId}`, `m.room.member|${bob.userId}`].toSorted(),
    );
    await alice.send(room, 'again');
    expect((await client.next(listing({ required_state: state }))).rooms[room].required_state).toEqual([]);
    const other = new SlidingClient(bob, 'other');
    const only = await other.next(listing({ required_state: [['m.room.member', '$ME']] }));
    expect(keysOf(only.rooms[room].required_state)).toEqual([`m.room.member|${bob.userId}`]);
    const all = await new SlidingClient(bob, 'all').next(listing({ required_state: [['*', '*']] }));
    expect(keysOf(all.rooms[room].required_state)).toEqual(
      expect.arrayContaining([`m.room.member|${alice.userId}`, 'm.room.create|', 'm.room.power_levels|']),
    );
  });

  it('tells members again to who left the room and came back: with its beginning their client let go of them', async () => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(room);
    await alice.send(room, 'hello');
    const list = listing({ required_state: [['m.room.member', '$LAZY']] });
    const client = new SlidingClient(bob);
    const membersIn = ({ required_state: state }: { required_state: Told[] }): string[] => keysOf(state);
    expect(membersIn((await client.next(list)).rooms[room])).toContain(`m.room.member|${alice.userId}`);
    await bob.leave(room);
    await client.next(list);
    await bob.join(room);
    const { rooms } = await client.next(list);
    expect(rooms[room].initial).toBe(true);
    expect(membersIn(rooms[room])).toEqual([`m.room.member|${bob.userId}`]);
    await alice.send(room, 'hello again');
    expect(membersIn((await client.next(list)).rooms[room])).toEqual([`m.room.member|${alice.userId}`]);
  });

  it('tells who was put out who wrote what they are shown', async () => {
    const [alice, bob, carol] = [await person(), await person(), await person()];
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(room);
    await carol.join(room);
    const list = listing({ timeline_limit: 2, required_state: [['m.room.member', '$LAZY']] });
    const client = new SlidingClient(bob);
    await client.next(list);
    await carol.send(room, 'hello');
    await alice.ok('POST', `${roomPath(room)}/kick`, { user_id: bob.userId });
    const membersIn = ({ rooms }: { rooms: Record<string, { required_state: { state_key: string }[] }> }): string[] =>
      rooms[room]!.required_state.map(({ state_key: key }) => key).toSorted();
    expect(membersIn(await client.next(list))).toEqual([alice.userId, bob.userId].toSorted());
    const everybody = [alice, bob, carol].map(({ userId }) => userId).toSorted();
    expect(membersIn(await new SlidingClient(bob, 'new').next(list))).toEqual(everybody);
  });

  it('tells all members where one of two asks for all of them and the other for those who are needed', async () => {
    const [alice, bob, carol] = [await person(), await person(), await person()];
    const room = await alice.createRoom({ preset: 'public_chat' });
    for (const user of [bob, carol]) await user.join(room);
    const all = [alice, bob, carol].map(({ userId }) => `m.room.member|${userId}`);
    const config = (key: string): object => ({ required_state: [['m.room.member', key]], timeline_limit: 1 });
    const both = listing(config('$LAZY'), { room_subscriptions: { [room]: config('*') } });
    const client = new SlidingClient(alice);
    const first = (await client.next(both)).rooms[room];
    expect(keysOf(first.required_state)).toEqual(all.toSorted());

    const later = new SlidingClient(alice, 'later');
    await later.next(listing(config('$LAZY')));
    expect(keysOf((await later.next(both)).rooms[room].required_state)).toEqual(all.toSorted());
  });

  it('says what a room is called, and how many are in it, where no state is asked for: at first, and behind a gap', async () => {
    const alice = await person();
    const room = await alice.createRoom({ name: 'one' });
    await alice.send(room, 'a');
    const wanted = listing({ required_state: [] });
    const client = new SlidingClient(alice);
    const first = (await client.next(wanted)).rooms[room];
    expect(first).toMatchObject({ initial: true, name: 'one', joined_count: 1, invited_count: 0 });
    await alice.setState(room, 'm.room.name', { name: 'other' });
    for (const body of ['b', 'c']) await alice.send(room, body);
    const later = (await client.next(wanted)).rooms[room];
    expect(later).toMatchObject({ limited: true, name: 'other', joined_count: 1, invited_count: 0 });
    expect(bodiesOf(later.timeline)).toEqual(['c']);
  });

  it('names the heroes of a room without a name', async () => {
    const [alice, bob] = [await person(), await person()];
    await bob.ok('PUT', `/profile/${bob.userId}/displayname`, { displayname: 'Bob' });
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(room);
    const { rooms } = await new SlidingClient(alice).next(listing());
    expect(rooms[room].heroes).toEqual([{ user_id: bob.userId, displayname: 'Bob' }]);
    expect(rooms[room]).toMatchObject({ joined_count: 2, invited_count: 0 });
  });

  it('tells an invitation by its stripped state, and the room from the start once it is joined', async () => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ name: 'secret' });
    const client = new SlidingClient(bob);
    const invites = listing({ filters: { is_invite: true } });
    expect((await client.next(invites)).lists.all.count).toBe(0);
    await alice.ok('POST', `${roomPath(room)}/invite`, { user_id: bob.userId });
    const told = await client.next(invites, 10_000);
    expect(told.lists.all.count).toBe(1);
    expect(told.rooms[room].initial).toBe(true);
    expect(keysOf(told.rooms[room].invite_state)).toContain(`m.room.member|${bob.userId}`);
    expect(told.rooms[room]).not.toHaveProperty('timeline');
    expect((await client.next(invites)).rooms).toEqual({});
    await bob.join(room);
    const joined = await client.next(listing());
    expect(joined.rooms[room]).toMatchObject({ initial: true, name: 'secret' });
    expect(joined.rooms[room]).not.toHaveProperty('invite_state');
  });

  it('tells once of a room that it was left, and goes on telling who was put out of one', async () => {
    const [alice, bob] = [await person(), await person()];
    const [left, kicked] = [
      await alice.createRoom({ preset: 'public_chat' }),
      await alice.createRoom({ preset: 'public_chat' }),
    ];
    for (const room of [left, kicked]) await bob.join(room);
    const client = new SlidingClient(bob);
    await client.next(listing());
    await bob.leave(left);
    await alice.ok('POST', `${roomPath(kicked)}/kick`, { user_id: bob.userId });
    await alice.send(kicked, 'not for bob');
    const told = await client.next(listing());
    for (const room of [left, kicked]) {
      expect(keysOf(told.rooms[room].required_state)).toContain(`m.room.member|${bob.userId}`);
      expect(bodiesOf(told.rooms[room].timeline)).not.toContain('not for bob');
    }
    expect((await client.next(listing())).lists.all.count).toBe(1);
    const anew = await new SlidingClient(bob, 'anew').next(listing());
    expect(Object.keys(anew.rooms)).toEqual([kicked]);
  });

  it('calls a room that one was put out of what it was called then', async () => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ preset: 'public_chat', name: 'before' });
    await bob.join(room);
    const client = new SlidingClient(bob);
    await client.next(listing());
    await alice.setState(room, 'm.room.name', { name: 'then' });
    await alice.setState(room, 'm.room.avatar', { url: 'mxc://x/then' });
    await alice.ok('POST', `${roomPath(room)}/kick`, { user_id: bob.userId });
    await alice.setState(room, 'm.room.name', { name: 'after' });
    await alice.setState(room, 'm.room.avatar', { url: 'mxc://x/after' });
    const then = { name: 'then', avatar: 'mxc://x/then' };
    expect((await client.next(listing())).rooms[room]).toMatchObject(then);
    const anew = new SlidingClient(bob, 'anew');
    expect((await anew.next(listing())).rooms[room]).toMatchObject({ initial: true, ...then });
  });

  it('goes on telling who was put out whatever else becomes of them there, over a restart too', async () => {
    const [alice, bob] = [await person(), await person()];
    const does = (what: string, room: string): Promise<unknown> =>
      alice.ok('POST', `${roomPath(room)}/${what}`, { user_id: bob.userId, reason: what });
    const lives = [['kick', 'ban'], ['ban', 'unban', 'ban'], ['leave', 'ban'], ['kick', 'invite', 'kick']]; // prettier-ignore
    const rooms = [];
    for (const life of lives) {
      const room = await alice.createRoom({ preset: 'public_chat' });
      rooms.push(room);
      await bob.join(room);
      for (const what of life) await (what === 'leave' ? bob.leave(room) : does(what, room));
    }
    await does('ban', await alice.createRoom({ preset: 'public_chat' }));
    const told = async (): Promise<string[]> => Object.keys((await new SlidingClient(bob).next(listing())).rooms);
    expect((await told()).toSorted()).toEqual(rooms.toSorted());
    await app.restart();
    expect((await told()).toSorted()).toEqual(rooms.toSorted());
  });

  it('tells who asks for a room that they left what it was when they did', async () => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ preset: 'public_chat', name: 'then' });
    const ask = { room_subscriptions: { [room]: { required_state: [['*', '*']], timeline_limit: 3 } } };
    const client = new SlidingClient(bob);
    expect((await client.next(ask)).rooms).toEqual({});
    await bob.join(room);
    await alice.send(room, 'for bob');
    await bob.leave(room);
    await alice.send(room, 'not for bob');
    await alice.setState(room, 'm.room.name', { name: 'now' });
    for (const each of [client, new SlidingClient(bob, 'anew')]) {
      const told = (await each.next(ask)).rooms[room];
      expect(told).toMatchObject({ initial: true, name: 'then' });
      expect(bodiesOf(told.timeline)).toContain('for bob');
      expect(bodiesOf(told.timeline)).not.toContain('not for bob');
      expect((await each.next(ask)).rooms).toEqual({});
    }
    await bob.ok('POST', `${roomPath(room)}/forget`, {});
    expect((await new SlidingClient(bob, 'forgot').next(ask)).rooms).toEqual({});
  });

  it('tells all of a stay that is over to who wants more of it than they were told, once', async () => {
    const [alice, bob] = [await person(), await person()];
    const [before, meanwhile] = [
      await alice.createRoom({ preset: 'public_chat', topic: 'beer' }),
      await alice.createRoom({ preset: 'public_chat', topic: 'beer' }),
    ];
    const putOut = (room: string): Promise<unknown> =>
      alice.ok('POST', `${roomPath(room)}/kick`, { user_id: bob.userId });
    for (const room of [before, meanwhile]) {
      await bob.join(room);
      for (const body of ['one', 'two']) await alice.send(room, body);
    }
    await putOut(before);
    const client = new SlidingClient(bob);
    await client.next(listing());
    await putOut(meanwhile);
    const more = { required_state: [['m.room.topic', '']], timeline_limit: 3 };
    const ask = listing({}, { room_subscriptions: { [before]: more, [meanwhile]: more } });
    const { rooms } = await client.next(ask);
    for (const room of [before, meanwhile]) {
      expect(rooms[room].initial).toBe(true);
      expect(keysOf(rooms[room].required_state)).toContain('m.room.topic|');
      expect(bodiesOf(rooms[room].timeline)).toEqual(['one', 'two', undefined]);
    }
    for (const again of [ask, listing(), ask]) expect((await client.next(again)).rooms).toEqual({});
  });

  it('tells nothing of a room that was forgotten to who was invited again and did not come, over a restart too', async () => {
    const [alice, bob] = [await person(), await person()];
    const does = (what: string, room: string): Promise<unknown> =>
      alice.ok('POST', `${roomPath(room)}/${what}`, { user_id: bob.userId });
    const rooms: string[] = [];
    for (const ending of ['reject', 'kick', 'ban']) {
      const room = await alice.createRoom({ preset: 'public_chat' });
      rooms.push(room);
      await bob.join(room);
      await does('kick', room);
      await bob.ok('POST', `${roomPath(room)}/forget`, {});
      await does('invite', room);
      await (ending === 'reject' ? bob.leave(room) : does(ending, room));
    }
    const subscriptions = rooms.map((room) => [room, { required_state: [['*', '*']], timeline_limit: 3 }]);
    const ask = listing({}, { room_subscriptions: Object.fromEntries(subscriptions) as object });
    expect((await new SlidingClient(bob).next(ask)).rooms).toEqual({});
    await app.restart();
    expect((await new SlidingClient(bob, 'anew').next(ask)).rooms).toEqual({});
  });

  it('tells the last stay anew to who left, came back and left again meanwhile', async () => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(room);
    const client = new SlidingClient(bob);
    await client.next(listing({ timeline_limit: 20 }));
    await bob.leave(room);
    await client.next(listing({ timeline_limit: 20 }));
    await bob.join(room);
    await bob.send(room, 'here again');
    await bob.leave(room);
    const { rooms } = await client.next(listing({ timeline_limit: 20 }));
    expect(rooms[room].initial).toBe(true);
    expect(bodiesOf(rooms[room].timeline)).toContain('here again');
  });

  it('tells nothing of rooms that the user has nothing to do with', async () => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ preset: 'public_chat' });
    const subscription = { required_state: [['*', '*']], timeline_limit: 10 };
    const body = { room_subscriptions: { [room]: subscription, '!nowhere:x': subscription, nonsense: subscription } };
    expect((await new SlidingClient(bob).next(body)).rooms).toEqual({});
  });

  it('filters lists', async () => {
    const [alice, bob] = [await person(), await person()];
    const space = await alice.createRoom({ creation_content: { type: 'm.space' } });
    const direct = await alice.createRoom({ is_direct: true });
    const secret = await alice.createRoom({
      initial_state: [{ type: 'm.room.encryption', content: { algorithm: 'm.megolm.v1.aes-sha2' } }],
    });
    await alice.setState(space, 'm.space.child', { via: ['x'] }, secret);
    await alice.ok('PUT', `/user/${alice.userId}/account_data/m.direct`, { [bob.userId]: [direct] });
    await alice.ok('PUT', `/user/${alice.userId}${roomPath(direct)}/tags/m.favourite`, {});
    const cases: [filters: object, rooms: string[]][] = [
      [{ is_dm: true }, [direct]],
      [{ is_dm: false }, [secret, space]],
      [{ is_encrypted: true }, [secret]],
      [{ is_encrypted: false }, [direct, space]],
      [{ is_invite: false }, [secret, direct, space]],
      [{ room_types: ['m.space'] }, [space]],
      [{ room_types: [null] }, [secret, direct]],
      [{ not_room_types: ['m.space'] }, [secret, direct]],
      [{ room_types: ['m.space'], not_room_types: ['m.space'] }, []],
      [{ spaces: [space] }, [secret]],
      [{ tags: ['m.favourite'] }, [direct]],
      [{ not_tags: ['m.favourite'] }, [secret, space]],
    ];
    for (const [filters, rooms] of cases) {
      const answer = await new SlidingClient(alice, 'f').next(listing({ filters }));
      expect([filters, Object.keys(answer.rooms).toSorted()]).toEqual([filters, rooms.toSorted()]);
      expect(answer.lists.all.count).toBe(rooms.length);
    }
    const { rooms } = await new SlidingClient(alice, 'f').next(listing());
    expect(rooms[direct].is_dm).toBe(true);
    expect(rooms[secret]).not.toHaveProperty('is_dm');
  });

  it('filters rooms that the user is not in by what they know of them', async () => {
    const [alice, bob] = [await person(), await person()];
    const rooms = {
      invited: await alice.createRoom({ invite: [bob.userId] }),
      banned: await alice.createRoom({ preset: 'public_chat' }),
      before: await alice.createRoom({ preset: 'public_chat' }),
    };
    await bob.join(rooms.banned);
    await bob.join(rooms.before);
    const encrypt = (room: string): Promise<unknown> =>
      alice.setState(room, 'm.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' });
    await encrypt(rooms.before);
    for (const room of [rooms.banned, rooms.before])
      await alice.ok('POST', `${roomPath(room)}/ban`, { user_id: bob.userId });
    await encrypt(rooms.banned);
    await encrypt(rooms.invited);
    const find = async (encrypted: boolean): Promise<string[]> =>
      Object.keys((await new SlidingClient(bob).next(listing({ filters: { is_encrypted: encrypted } }))).rooms);
    expect(await find(true)).toEqual([rooms.before]);
    expect((await find(false)).toSorted()).toEqual([rooms.invited, rooms.banned].toSorted());
    await alice.ok('POST', `${roomPath(rooms.banned)}/unban`, { user_id: bob.userId });
    await bob.join(rooms.banned);
    expect((await find(true)).toSorted()).toEqual([rooms.banned, rooms.before].toSorted());
  });

  it('says that a room became a direct chat', async () => {
    const alice = await person();
    const room = await alice.createRoom();
    const client = new SlidingClient(alice);
    await client.next(listing());
    await alice.ok('PUT', `/user/${alice.userId}/account_data/m.direct`, { '@x:y': [room] });
    expect((await client.next(listing(), 10_000)).rooms[room].is_dm).toBe(true);
    await alice.ok('PUT', `/user/${alice.userId}/account_data/m.direct`, {});
    expect((await client.next(listing(), 10_000)).rooms[room].is_dm).toBe(false);
  });

  it('counts what notifies, until it is read', async () => {
    const [alice, bob] = [await person(), await person()];
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(room);
    const client = new SlidingClient(bob);
    await client.next(listing());
    const event = await alice.send(room, `hello ${bob.userId}`, { 'm.mentions': { user_ids: [bob.userId] } });
    expect((await client.next(listing())).rooms[room]).toMatchObject({ notification_count: 1, highlight_count: 1 });
    await bob.ok('POST', `${roomPath(room)}/receipt/m.read/${encodeURIComponent(event)}`, {});
    const { rooms } = await client.next(listing(), 10_000);
    expect(rooms[room]).toMatchObject({ notification_count: 0, highlight_count: 0 });
    expect(rooms[room]).not.toHaveProperty('timeline');
    const inThread = { 'm.relates_to': { rel_type: 'm.thread', event_id: event } };
    await alice.send(room, 'in a thread', inThread);
    expect((await client.next(listing())).rooms[room]).toMatchObject({ notification_count: 1, highlight_count: 0 });
  });

  it('waits for news, and answers at once where there is some', async () => {
    const alice = await person();
    const room = await alice.createRoom();
    const client = new SlidingClient(alice);
    await client.next(listing());
    const waiting = client.next(listing(), 30_000);
    await alice.send(room, 'here');
    expect(bodiesOf((await waiting).rooms[room].timeline)).toEqual(['here']);
  });

  it('keeps connections of a device apart', async () => {
    const alice = await person();
    const room = await alice.createRoom();
    const clients = ['room-list', 'encryption', 'notifications'].map((id) => new SlidingClient(alice, id));
    for (const client of clients) expect((await client.next(listing())).rooms[room].initial).toBe(true);
    await alice.send(room, 'for all');
    for (const client of clients) {
      const { rooms } = await client.next(listing());
      expect(bodiesOf(rooms[room].timeline)).toEqual(['for all']);
      expect(rooms[room]).not.toHaveProperty('initial');
    }
  });

  it('goes on after a restart as if there had been none', async () => {
    const alice = await person();
    const [one, two] = [await alice.createRoom(), await alice.createRoom()];
    const client = new SlidingClient(alice);
    await client.next(listing());
    await app.restart();
    await alice.send(one, 'after');
    const { rooms } = await client.next(listing());
    expect(Object.keys(rooms)).toEqual([one]);
    expect(rooms[one]).not.toHaveProperty('initial');
    expect(bodiesOf(rooms[one].timeline)).toEqual(['after']);
    void two;
  });

  it('does not know a place that it never gave to this connection', async () => {
    const [alice, bob] = [await person(), await person()];
    const client = new SlidingClient(alice, 'one');
    await client.next(listing());
    const { pos } = client;
    const strangers = [
      new SlidingClient(bob, 'one'),
      new SlidingClient(alice, 'two'),
      new SlidingClient(await alice.logIn(), 'one'),
    ];
    for (const stranger of strangers) await stranger.next(listing());
    for (const stranger of strangers) {
      stranger.pos = pos;
      const { status, body } = await stranger.ask(listing());
      expect([status, body.errcode]).toEqual([400, 'M_UNKNOWN_POS']);
    }
    for (const nonsense of ['x', 's1_0', `${pos}x`, 's1_0~1~abcdefgh']) {
      client.pos = nonsense;
      expect((await client.ask(listing())).body.errcode).toBe('M_UNKNOWN_POS');
    }
    client.pos = pos;
    await client.next(listing());
    await new SlidingClient(alice, 'one').next(listing());
    expect((await client.ask(listing())).body.errcode).toBe('M_UNKNOWN_POS');
  });

  it('refuses what is not of the expected form', async () => {
    const alice = await person();
    const client = new SlidingClient(alice);
    const wrong: object[] = [
      { lists: [] },
      { lists: { a: 1 } },
      { lists: { a: { ranges: [[0, 1]], required_state: [] } } },
      listing({ timeline_limit: -1 }),
      listing({ timeline_limit: '1' }),
      listing({ ranges: [[1, 0]] }),
      listing({ ranges: [[0]] }),
      listing({ ranges: 7 }),
      listing({ required_state: [['m.room.create']] }),
      listing({ required_state: [['m.room.create', 1]] }),
      listing({ filters: { is_dm: 'yes' } }),
      listing({ filters: { room_types: [1] } }),
      { lists: Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`l${n}`, LIST])) },
      { room_subscriptions: { '!a:b': {} } },
      { conn_id: 1 },
      { extensions: { typing: { enabled: 'true' } } },
      { extensions: { to_device: { enabled: true, since: 'nonsense' } } },
    ];
    for (const body of wrong) {
      const answer = await client.ask(body);
      expect([body, answer.status, answer.body.errcode]).toEqual([body, 400, 'M_INVALID_PARAM']);
    }
    expect((await client.ask({})).status).toBe(200);
    expect((await client.ask({ lists: null, room_subscriptions: null, extensions: null, conn_id: null })).status).toBe(
      200,
    );
  });
});
