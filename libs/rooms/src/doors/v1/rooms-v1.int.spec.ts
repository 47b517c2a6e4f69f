import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptyObject } from '#testing/empty-object';
import { queryOf, roomPath, type SyncAnswer, SyncApp, type SyncUser } from '#testing/sync-app';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, bob] = await Promise.all([app.register('alice'), app.register('bob')]);
});
afterAll(() => app.close());

type Event = { type: string; event_id: string; content: Record<string, unknown>; user_id: string };
const bodies = (chunk: Event[]): unknown[] => chunk.map(({ content }) => content['body']).filter(Boolean);

async function createRoom(config: object = {}): Promise<{ room_id: string; room_alias?: string }> {
  const { status, body } = await alice.v1('POST', '/createRoom', config);
  expect(status).toBe(200);
  return body;
}

async function sharedRoom(): Promise<string> {
  const { room_id: roomId } = await createRoom();
  expect((await bob.v1('POST', `/join/${encodeURIComponent(roomId)}`, {})).status).toBe(200);
  return roomId;
}

const refusal = (status: number, errcode: string): object => ({ status, body: { errcode } });

describe('createRoom', () => {
  it('makes the room of the specification with its alias, name and topic, and tells its creator', async () => {
    const { room_id: roomId, room_alias: alias } = await createRoom({
      visibility: 'public',
      room_alias_name: 'the pub',
      name: 'The Grand Duke Pub',
      topic: 'All about happy hour',
    });
    expect(roomId).toMatch(/^!.+:a\.example$/);
    expect(alias).toBe('#the pub:a.example');
    const state = (type: string): Promise<SyncAnswer> => alice.v1('GET', `${roomPath(roomId)}/state/${type}`);
    expect((await state('m.room.name')).body).toEqual({ name: 'The Grand Duke Pub' });
    expect((await state('m.room.topic')).body).toMatchObject({ topic: 'All about happy hour' });
    expect((await state('m.room.create')).body).toMatchObject({ creator: alice.userId });
    expect(await state('org.example.none')).toMatchObject(refusal(404, 'M_NOT_FOUND'));
    const again = await alice.v1('POST', '/createRoom', { room_alias_name: 'the pub' });
    expect(again).toMatchObject(refusal(400, 'M_ROOM_IN_USE'));
  });

  it('is public unless it says otherwise, as it was at first', async () => {
    const listed = async (): Promise<string[]> =>
      (await alice.v1('GET', '/publicRooms')).body.chunk.map((room: { room_id: string }) => room.room_id);
    const [open, closed] = [await createRoom(), await createRoom({ visibility: 'private' })];
    expect(await listed()).toContain(open.room_id);
    expect(await listed()).not.toContain(closed.room_id);
    expect((await bob.v1('POST', `/join/${open.room_id}`, {})).status).toBe(200);
    expect(await bob.v1('POST', `/join/${closed.room_id}`, {})).toMatchObject(refusal(403, 'M_FORBIDDEN'));
  });

  it('makes the room with all that it is asked for, in both ways', async () => {
    const config = {
      visibility: 'private',
      creation_content: { 'm.federate': false, 'org.example.odd': 1 },
      preset: 'trusted_private_chat',
      invite: [bob.userId],
      is_direct: true,
      initial_state: [{ type: 'm.favorite.animal', state_key: 'k', content: { animal: 'cat' } }],
      power_level_content_override: { ban: 70 },
    };
    const other = await alice.v1('PUT', '/createRoom/options', config);
    for (const { room_id: roomId } of [await createRoom(config), other.body]) {
      const state = async (path: string): Promise<unknown> =>
        (await alice.v1('GET', `${roomPath(roomId)}/state/${path}`)).body;
      expect(await state('m.room.create')).toMatchObject({ 'm.federate': false, 'org.example.odd': 1 });
      expect(await state('m.favorite.animal/k')).toEqual({ animal: 'cat' });
      expect(await state('m.room.power_levels')).toMatchObject({ ban: 70, users: { [bob.userId]: 100 } });
      expect(await state(`m.room.member/${bob.userId}`)).toMatchObject({ membership: 'invite', is_direct: true });
      expect(await state('m.room.guest_access')).toEqual({ guest_access: 'can_join' });
    }
    const versioned = await createRoom({ room_version: '9' });
    const { body } = await alice.v1('GET', `${roomPath(versioned.room_id)}/state/m.room.create`);
    expect(body).toMatchObject({ room_version: '9' });
  });

  it('refuses what it cannot do, rather than leave it out', async () => {
    const invite_3pid = [{ id_server: 'no server', medium: 'email', address: 'bob@b.example' }];
    for (const [method, path] of [
      ['POST', '/createRoom'],
      ['PUT', '/createRoom/by-mail'],
    ] as const) {
      expect(await alice.v1(method, path, { invite_3pid })).toMatchObject(refusal(400, 'M_INVALID_PARAM'));
    }
    const initial_state = [{ type: 'm.room.name', content: { name: 5 } }];
    expect(await alice.v1('POST', '/createRoom', { initial_state })).toMatchObject(refusal(400, 'M_BAD_JSON'));
    expect(await alice.v1('POST', '/createRoom', { preset: 'odd' })).toMatchObject(refusal(400, 'M_BAD_JSON'));
    const unknown = await alice.v1('POST', '/createRoom', { room_version: 'odd' });
    expect(unknown).toMatchObject(refusal(400, 'M_UNSUPPORTED_ROOM_VERSION'));
  });

  it('makes one room only for one transaction id', async () => {
    const make = (txnId: string): Promise<SyncAnswer> => alice.v1('PUT', `/createRoom/${txnId}`, {});
    const [one, same, other] = [await make('1'), await make('1'), await make('2')];
    expect(one.body.room_id).toBe(same.body.room_id);
    expect(one.body.room_id).not.toBe(other.body.room_id);
  });
});

describe('memberships', () => {
  it('are changed by requests of their own', async () => {
    const { room_id: roomId, room_alias: alias } = await createRoom({ room_alias_name: `alias${Date.now()}` });
    expect((await bob.v1('POST', `/join/${encodeURIComponent(alias!)}`, {})).body).toEqual({ room_id: roomId });
    const act = (user: SyncUser, action: string, body: object = {}): Promise<SyncAnswer> =>
      user.v1('POST', `${roomPath(roomId)}/${action}`, body);
    expect((await act(bob, 'leave')).body).toEqual({});
    expect((await act(bob, 'join')).body).toEqual({ room_id: roomId });
    expect((await act(alice, 'kick', { user_id: bob.userId })).body).toEqual({});
    expect((await act(alice, 'ban', { user_id: bob.userId, reason: 'noise' })).status).toBe(200);
    expect(await act(bob, 'join')).toMatchObject(refusal(403, 'M_FORBIDDEN'));
    expect((await act(alice, 'unban', { user_id: bob.userId })).status).toBe(200);
    expect((await act(alice, 'invite', { user_id: bob.userId })).status).toBe(200);
    expect(await act(alice, 'invite', {})).toMatchObject(refusal(400, 'M_MISSING_PARAM'));
    expect((await alice.v1('PUT', `${roomPath(roomId)}/kick/txn`, { user_id: bob.userId })).status).toBe(200);
    expect((await alice.v1('PUT', `${roomPath(roomId)}/kick/txn`, { user_id: bob.userId })).status).toBe(200);
  });

  it('are changed as state of the room, by the same rules', async () => {
    const { room_id: roomId } = await createRoom({ visibility: 'private' });
    const set = (user: SyncUser, target: SyncUser, content: object): Promise<SyncAnswer> =>
      user.v1('PUT', `${roomPath(roomId)}/state/m.room.member/${encodeURIComponent(target.userId)}`, content);
    const membership = async (): Promise<unknown> =>
      (await alice.v1('GET', `${roomPath(roomId)}/state/m.room.member/${bob.userId}`)).body.membership;
    expect(await set(bob, bob, { membership: 'join' })).toMatchObject(refusal(403, 'M_FORBIDDEN'));
    expect(await set(alice, bob, { membership: 'join' })).toMatchObject(refusal(403, 'M_FORBIDDEN'));
    expect((await set(alice, bob, { membership: 'invite' })).status).toBe(200);
    expect((await set(bob, bob, { membership: 'join' })).status).toBe(200);
    expect(await set(alice, bob, { membership: 'invite' })).toMatchObject(refusal(403, 'M_FORBIDDEN'));
    expect(await membership()).toBe('join');
    expect((await set(alice, bob, { membership: 'ban' })).status).toBe(200);
    expect(await membership()).toBe('ban');
    expect((await set(alice, bob, { membership: 'leave' })).status).toBe(200);
    expect(await membership()).toBe('leave');
    expect(await set(alice, bob, {})).toMatchObject(refusal(400, 'M_MISSING_PARAM'));
    expect(await set(alice, bob, { membership: 'lurk' })).toMatchObject(refusal(400, 'M_BAD_JSON'));
  });
});

describe('a membership set as state', () => {
  it('says all that it was asked to say', async () => {
    const { room_id: roomId } = await createRoom();
    const path = `${roomPath(roomId)}/state/m.room.member/${encodeURIComponent(bob.userId)}`;
    const member = async (): Promise<unknown> => (await alice.v1('GET', path)).body;
    const set = async (user: SyncUser, content: object): Promise<void> => {
      expect((await user.v1('PUT', path, content)).status).toBe(200);
    };
    await set(bob, { membership: 'join', displayname: 'Bobby', odd: 1 });
    expect(await member()).toMatchObject({ membership: 'join', displayname: 'Bobby', odd: 1 });
    await set(bob, { membership: 'join', displayname: 'Rob' });
    expect(await member()).toEqual({ membership: 'join', displayname: 'Rob' });
    await set(bob, { membership: 'join' });
    expect(await member()).toEqual({ membership: 'join', displayname: 'Rob' });
    await set(alice, { membership: 'ban', reason: 'noise', odd: 2 });
    expect(await member()).toEqual({ membership: 'ban', reason: 'noise', odd: 2 });
    await set(alice, { membership: 'leave', odd: 3 });
    expect(await member()).toEqual({ membership: 'leave', odd: 3 });
    const wrong = await bob.v1('PUT', path, { membership: 'join', displayname: 5 });
    expect(wrong).toMatchObject(refusal(400, 'M_BAD_JSON'));
  });
});

describe('sending', () => {
  it('makes a new event of each POST, and one of a PUT with its transaction id', async () => {
    const path = `${roomPath(await sharedRoom())}/send/m.custom.example.message`;
    const content = { text: 'Hello world!' };
    const [one, two] = [await alice.v1('POST', path, content), await alice.v1('POST', path, content)];
    expect(one.body.event_id).not.toBe(two.body.event_id);
    const [three, four] = [await alice.v1('PUT', `${path}/11`, content), await alice.v1('PUT', `${path}/11`, content)];
    expect(three.body.event_id).toBe(four.body.event_id);
  });

  it('refuses the requests that the specification calls invalid', async () => {
    const path = roomPath(await sharedRoom());
    const content = { key: 'value' };
    const invalid: ['POST' | 'PUT', string, number][] = [
      ['POST', '/send/m.example/11', 405],
      ['PUT', '/send/m.example', 405],
      ['POST', '/state/m.example.event/', 405],
      ['POST', '/state/m.example.event/foo', 405],
      ['PUT', '/state/m.example.event/foo/11', 404],
    ];
    for (const [method, rest, status] of invalid) {
      const answer = await alice.v1(method, path + rest, content);
      expect(answer, `${method} ${rest}`).toMatchObject(refusal(status, 'M_UNRECOGNIZED'));
    }
    const feedback = await alice.v1('POST', `${path}/send/m.room.message.feedback`, {
      type: 'seen',
      target_event_id: '$x',
    });
    expect(feedback).toMatchObject(refusal(400, 'M_BAD_JSON'));
  });

  it('refuses messages, names and topics that have not the format of their type', async () => {
    const path = roomPath(await sharedRoom());
    const wrong: readonly (readonly [string, object])[] = [
      ['send/m.room.message', { body: 'no type' }],
      ['send/m.room.message', { msgtype: 5, body: 'x' }],
      ['send/m.room.message', { msgtype: 'm.text' }],
      ['send/m.room.message', { msgtype: 'm.image', body: 'no url' }],
      ['send/m.room.message', { msgtype: 'org.example.own', body: {} }],
      ['state/m.room.name', { name: 5 }],
      ['state/m.room.name', {}],
      ['state/m.room.topic', { topic: {} }],
      ['state/m.room.topic/key', { topic: null }],
      ['state/m.room.join_rules', { algorithm: 'x', ciphertext: 'y' }],
    ];
    for (const [rest, content] of wrong) {
      const isSend = rest.startsWith('send');
      const answers = [await alice.v1('PUT', `${path}/${rest}${isSend ? '/wrong' : ''}`, content)];
      if (isSend) answers.push(await alice.v1('POST', `${path}/${rest}`, content));
      for (const answer of answers) expect(answer, rest).toMatchObject(refusal(400, 'M_BAD_JSON'));
    }
    const right: readonly (readonly [string, object])[] = [
      ['send/m.room.message/right', { msgtype: 'org.example.own', odd: 1 }],
      ['state/m.room.name', { name: '', odd: 1 }],
    ];
    for (const [rest, content] of right) expect((await alice.v1('PUT', `${path}/${rest}`, content)).status).toBe(200);
  });

  it('refuses levels in the form that no room reads any more, which would leave nobody with any', async () => {
    const { room_id: roomId } = await createRoom({});
    const flat = { [alice.userId]: 100, [bob.userId]: 50 };
    const initial_state = [{ type: 'm.room.power_levels', content: flat }];
    for (const answer of [
      await alice.v1('PUT', `${roomPath(roomId)}/state/m.room.power_levels`, flat),
      await alice.v1('PUT', `${roomPath(roomId)}/state/m.room.power_levels`, { default: 0 }),
      await alice.v1('POST', '/createRoom', { initial_state }),
    ]) {
      expect(answer).toMatchObject(refusal(400, 'M_BAD_JSON'));
    }
    const levels = { users: { [alice.userId]: 100, [bob.userId]: 50 } };
    for (const [type, content] of Object.entries({ 'm.room.power_levels': levels, 'm.room.name': { name: 'ours' } })) {
      expect((await alice.v1('PUT', `${roomPath(roomId)}/state/${type}`, content)).status).toBe(200);
    }
  });

  it('tells strangers of closed rooms what it tells them of none', async () => {
    const { room_id: roomId } = await createRoom({ visibility: 'private' });
    const member = encodeURIComponent(bob.userId);
    const requests: readonly (readonly ['POST' | 'PUT', string, object])[] = [
      ['POST', 'join', {}],
      ['POST', 'leave', {}],
      ['POST', 'invite', { user_id: alice.userId }],
      ['POST', 'kick', { user_id: alice.userId }],
      ['POST', 'send/m.room.message', { msgtype: 'm.text', body: 'x' }],
      ['PUT', 'state/m.room.name', { name: 'x' }],
      ['PUT', `state/m.room.member/${member}`, { membership: 'join' }],
      ['PUT', `state/m.room.member/${member}`, { membership: 'leave' }],
      ['POST', `redact/${encodeURIComponent('$x')}`, {}],
    ];
    for (const [method, rest, body] of requests) {
      const [closed, none] = [
        await bob.v1(method, `${roomPath(roomId)}/${rest}`, body),
        await bob.v1(method, `${roomPath('!none:a.example')}/${rest}`, body),
      ];
      expect(closed, rest).toMatchObject(refusal(403, 'M_FORBIDDEN'));
      expect(none, rest).toEqual(closed);
    }
  });

  it('keeps state by type and key, with what was before', async () => {
    const roomId = await sharedRoom();
    const path = `${roomPath(roomId)}/state/m.favorite.animal.event/${encodeURIComponent(alice.userId)}`;
    await alice.v1('PUT', path, { animal: 'cat' });
    await alice.v1('PUT', path, { animal: 'dog' });
    expect((await bob.v1('GET', path)).body).toEqual({ animal: 'dog' });
    const { body: state } = await bob.v1('GET', `${roomPath(roomId)}/state`);
    const event = state.find(({ type }: Event) => type === 'm.favorite.animal.event');
    expect(event).toMatchObject({ user_id: alice.userId, prev_content: { animal: 'cat' }, age: expect.any(Number) });
  });

  it('redacts, and says why', async () => {
    const roomId = await sharedRoom();
    const eventId = await alice.send(roomId, 'oops');
    const { body } = await alice.v1('POST', `${roomPath(roomId)}/redact/${encodeURIComponent(eventId)}`, {
      reason: 'typo',
    });
    const { body: event } = await bob.v1('GET', `/events/${encodeURIComponent(eventId)}`);
    expect(event).toMatchObject({
      content: emptyObject(),
      redacted_because: { event_id: body.event_id, content: { reason: 'typo' } },
    });
  });
});

describe('reading a room', () => {
  it('pages through messages by start and end, backwards where only a token is given', async () => {
    const roomId = await sharedRoom();
    for (let i = 1; i <= 6; i++) await alice.send(roomId, `E${i}`);
    const messages = async (params: Record<string, string | number>): Promise<SyncAnswer['body']> =>
      (await bob.v1('GET', `${roomPath(roomId)}/messages?${queryOf(params)}`)).body;
    const last = await messages({ from: 'END', to: 'START', limit: 2 });
    expect(bodies(last.chunk)).toEqual(['E6', 'E5']);
    const earlier = await messages({ from: last.start, limit: 2 });
    expect(bodies(earlier.chunk)).toEqual(['E4', 'E3']);
    expect(earlier.end).toBe(last.start);
    const between = await messages({ from: earlier.start, to: last.end });
    expect(bodies(between.chunk)).toEqual(['E3', 'E4', 'E5', 'E6']);
    const everything = await messages({});
    expect(everything.chunk[0].type).toBe('m.room.create');
    expect(bodies(everything.chunk)).toHaveLength(6);
    const directed = await messages({ dir: 'b', limit: 2 });
    expect(bodies((await messages({ dir: 'b', from: directed.end, limit: 1 })).chunk)).toEqual(['E4']);
    const bad = await bob.v1('GET', `${roomPath(roomId)}/messages?from=nonsense`);
    expect(bad).toMatchObject(refusal(400, 'M_BAD_PAGINATION'));
  });

  it('pages through members in the order in which they came', async () => {
    const roomId = await sharedRoom();
    const members = async (query: string): Promise<SyncAnswer['body']> =>
      (await bob.v1('GET', `${roomPath(roomId)}/members${query}`)).body;
    const users = ({ chunk }: SyncAnswer['body']): string[] =>
      chunk.map((event: { state_key: string }) => event.state_key);
    const all = await members('');
    expect(users(all)).toEqual([alice.userId, bob.userId]);
    const first = await members('?limit=1');
    expect(users(await members(`?from=${first.end}&to=END`))).toEqual([bob.userId]);
    expect(users(await members('?from=END&to=START'))).toEqual([bob.userId, alice.userId]);
  });
});

describe('the directory', () => {
  it('points aliases to rooms, and lets them go', async () => {
    const roomId = await sharedRoom();
    const path = `/directory/room/${encodeURIComponent('#another:a.example')}`;
    expect((await alice.v1('PUT', path, { room_id: roomId })).status).toBe(200);
    expect((await app.call('GET', `/_matrix/client/api/v1${path}`)).body).toEqual({
      room_id: roomId,
      servers: ['a.example'],
    });
    expect((await alice.v1('DELETE', path)).status).toBe(200);
    expect(await bob.v1('GET', path)).toMatchObject(refusal(404, 'M_NOT_FOUND'));
  });

  it('says of listed rooms what they look like and who may read and join', async () => {
    const { room_id: roomId } = await createRoom({
      name: 'Gallery',
      initial_state: [
        { type: 'm.room.avatar', content: { url: 'mxc://a.example/a' } },
        { type: 'm.room.guest_access', content: { guest_access: 'can_join' } },
        { type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } },
      ],
    });
    const plain = await createRoom({});
    const { body } = await bob.v1('GET', '/publicRooms');
    const entry = (id: string): object => body.chunk.find((room: { room_id: string }) => room.room_id === id);
    expect(entry(roomId)).toEqual({
      room_id: roomId,
      aliases: [],
      name: 'Gallery',
      avatar_url: 'mxc://a.example/a',
      num_joined_members: 1,
      world_readable: true,
      guest_can_join: true,
    });
    expect(entry(plain.room_id)).toMatchObject({ world_readable: false, guest_can_join: false });
  });

  it('lists public rooms as the example of the specification does', async () => {
    const list = async (query: string): Promise<SyncAnswer['body']> =>
      (await bob.v1('GET', `/rooms/list?${query}`)).body;
    const names = ({ chunk }: SyncAnswer['body']): string[] => chunk.map((room: { name?: string }) => room.name);
    const { end: before } = await list('');
    for (let i = 1; i <= 17; i++) await createRoom({ name: `R${i}` });
    const expected = (from: number, to: number): string[] =>
      Array.from({ length: to - from + 1 }, (_, i) => `R${from + i}`);
    const one = await list(`from=${before}&to=END&limit=5`);
    const two = await list(`from=${one.end}&to=END&limit=5`);
    expect(names(two)).toEqual(expected(6, 10));
    const three = await list(`from=${two.end}&to=END&limit=5`);
    expect(names(three)).toEqual(expected(11, 15));
    expect(names(await list(`from=${three.start}&to=START&limit=5`))).toEqual(expected(6, 10).toReversed());
    expect(names(await list('from=END&to=START&limit=3'))).toEqual(['R17', 'R16', 'R15']);
    expect(await bob.v1('GET', '/rooms/list?from=x')).toMatchObject(refusal(400, 'M_BAD_PAGINATION'));
  });
});

describe('deleting state', () => {
  const deletion = { 'dev.annals.deleted': true };
  const topicIn = (events: Event[]): Event[] => events.filter(({ type }) => type === 'm.room.topic');

  async function room(version = 'dev.annals.12.deletion'): Promise<string> {
    const { room_id: roomId } = await createRoom({ room_version: version, topic: 'old' });
    expect((await bob.v1('POST', `/join/${encodeURIComponent(roomId)}`, {})).status).toBe(200);
    return roomPath(roomId);
  }

  it('takes the key away for every reader, and tells the event as any other', async () => {
    const path = await room();
    const roomId = decodeURIComponent(path.slice('/rooms/'.length));
    const { next_batch: since } = await bob.ok('GET', '/sync');
    const deleted = await alice.v1('DELETE', `${path}/state/m.room.topic`);
    expect(deleted).toMatchObject({ status: 200, body: { event_id: expect.stringMatching(/^\$/) } });
    for (const gone of [
      await bob.v1('GET', `${path}/state/m.room.topic`),
      await bob.call('GET', `${path}/state/m.room.topic/`),
      await alice.v1('DELETE', `${path}/state/m.room.topic`),
    ]) {
      expect(gone).toMatchObject(refusal(404, 'M_NOT_FOUND'));
    }
    expect(topicIn(await bob.ok('GET', `${path}/state`))).toEqual([]);

    const told = (await bob.ok('GET', `/sync?${queryOf({ since })}`)).rooms.join[roomId].timeline.events;
    const event = { type: 'm.room.topic', state_key: '', content: deletion, event_id: deleted.body.event_id };
    expect(topicIn(told)).toMatchObject([event]);
    // A client that missed it in the timeline is told beside it.
    await alice.v1('POST', `${path}/send/m.room.message`, { msgtype: 'm.text', body: 'one' });
    const short = { room: { timeline: { limit: 1 } } };
    const gap = (await bob.ok('GET', `/sync?${queryOf({ since, filter: short })}`)).rooms.join[roomId];
    expect(topicIn(gap.state.events)).toMatchObject([event]);
    // Who comes anew has nothing to forget.
    const anew = (await bob.ok('GET', `/sync?${queryOf({ filter: short })}`)).rooms.join[roomId];
    expect(topicIn([...anew.state.events, ...anew.timeline.events])).toEqual([]);
    const v1 = (await bob.v1('GET', '/initialSync?limit=1')).body.rooms;
    const initial = v1.find(({ room_id: id }: { room_id: string }) => id === roomId);
    expect(topicIn(initial.state)).toEqual([]);
    expect((await alice.v1('PUT', `${path}/state/m.room.topic`, { topic: 'new' })).status).toBe(200);
    expect((await bob.v1('GET', `${path}/state/m.room.topic`)).body).toEqual({ topic: 'new' });
  });

  it('finds a key by its type and state key', async () => {
    const path = await room();
    await alice.v1('PUT', `${path}/state/org.example/a%20key`, { n: 1 });
    await alice.v1('PUT', `${path}/state/org.example/other`, { n: 2 });
    expect((await alice.v1('DELETE', `${path}/state/org.example/a%20key`)).status).toBe(200);
    expect((await alice.v1('GET', `${path}/state/org.example/a%20key`)).status).toBe(404);
    expect((await alice.v1('GET', `${path}/state/org.example/other`)).body).toEqual({ n: 2 });
  });

  it('is refused to those who may not, of what the rules live on, and in rooms of other versions', async () => {
    const [path, twelve] = [await room(), await room('12')];
    const topic = `/state/m.room.topic`;
    expect(await bob.v1('DELETE', path + topic)).toMatchObject(refusal(403, 'M_FORBIDDEN'));
    expect(await alice.v1('DELETE', `${path}/state/m.room.join_rules`)).toMatchObject(refusal(400, 'M_INVALID_PARAM'));
    expect(await alice.v1('DELETE', twelve + topic)).toMatchObject(refusal(400, 'M_UNSUPPORTED_ROOM_VERSION'));
    expect((await alice.v1('GET', twelve + topic)).body).toMatchObject({ topic: 'old' });
  });
});
