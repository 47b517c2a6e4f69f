import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { START } from '#kernel/position';
import { registerAdmin, SHARED_SECRET } from '#testing/register-admin';
import { type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';

const SEND = '/_synapse/admin/v1/send_server_notice';
const NOTICES = '@announcer:a.example';
const SETTINGS = {
  ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET,
  ANNALS_NOTICES_USER: 'announcer',
  ANNALS_NOTICES_NAME: 'The pub',
  ANNALS_NOTICES_AVATAR: 'mxc://a.example/sign',
};

let app: RoomsApp;
let admin: string;
let alice: TestUser;

async function start(settings: Record<string, string> = SETTINGS): Promise<void> {
  app = await startRoomsApp([], settings);
  admin = await registerAdmin(app);
  alice = await app.register('alice');
}
beforeEach(() => start());
afterEach(() => app.close());

const content = { msgtype: 'm.text', body: 'last orders' };
const send = (body: object, txnId?: string, token = admin): ReturnType<RoomsApp['call']> =>
  txnId === undefined ? app.call('POST', SEND, { token, body }) : app.call('PUT', `${SEND}/${txnId}`, { token, body });

/** What a user became in rooms, one after another. */
async function membershipsOf({ userId }: TestUser): Promise<unknown[]> {
  const memberships: unknown[] = [];
  for await (const some of app.store.readAll({ after: START }))
    for (const { type, data } of some) {
      const { pdu } = (type === 'pdu-accepted' ? JSON.parse(data) : {}) as { pdu?: Record<string, unknown> };
      if (pdu?.['state_key'] === userId) memberships.push((pdu['content'] as { membership?: unknown }).membership);
    }
  return memberships;
}

/** The rooms that the user is invited to by the notices user, or in which they are with it. */
async function roomsOf(who: TestUser): Promise<string[]> {
  const rooms = new Set<string>();
  const facts: RecordedFact[] = [];
  for await (const some of app.store.readAll({ after: START })) facts.push(...some);
  for (const { stream, type, data } of facts) {
    if (type !== 'pdu-accepted') continue;
    const { pdu } = JSON.parse(data);
    if (pdu.type === 'm.room.member' && pdu.state_key === who.userId && pdu.sender === NOTICES)
      rooms.add(stream.slice(5));
  }
  return [...rooms];
}

/** As the operator does who would be the notices user for once; answers their access token. */
async function signInAsNotices(): Promise<string> {
  const password = 'of the notices user';
  const reset = `/_synapse/admin/v1/reset_password/${NOTICES}`;
  expect((await app.call('POST', reset, { token: admin, body: { new_password: password } })).status).toBe(200);
  const signIn = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'announcer' }, password };
  return (await app.call('POST', '/_matrix/client/v3/login', { body: signIn })).body.access_token;
}

describe('a notice of the server', () => {
  it('invites its user to a room of their own, tagged, in which they read and nobody else speaks', async () => {
    const { status, body } = await send({ user_id: alice.userId, content });
    expect([status, body]).toEqual([200, { event_id: expect.any(String) }]);
    const [room] = (await roomsOf(alice)) as [string];
    const path = `/rooms/${encodeURIComponent(room)}`;
    const { tags } = await alice.ok('GET', `/user/${alice.userId}${path}/tags`);
    expect(tags).toEqual({ 'm.server_notice': {} });
    const rejected = await alice.call('POST', `${path}/leave`, {});
    expect([rejected.status, rejected.body.errcode]).toEqual([403, 'M_CANNOT_LEAVE_SERVER_NOTICE_ROOM']);
    const leave = { membership: 'leave' };
    const alike = await alice.call('PUT', `${path}/state/m.room.member/${alice.userId}`, leave);
    expect(alike.body.errcode).toBe('M_CANNOT_LEAVE_SERVER_NOTICE_ROOM');
    const v1 = `/_matrix/client/api/v1${path}/leave`;
    expect((await app.call('POST', v1, { token: alice.token, body: {} })).body.errcode).toBe(alike.body.errcode);
    await alice.ok('POST', `/join/${encodeURIComponent(room)}`, {});
    const event = await alice.ok('GET', `${path}/event/${body.event_id}`);
    expect(event).toMatchObject({ sender: NOTICES, type: 'm.room.message', content });
    expect(await alice.ok('GET', `${path}/state/m.room.name`)).toEqual({ name: 'The pub' });
    expect(await alice.ok('GET', `${path}/state/m.room.avatar`)).toEqual({ url: 'mxc://a.example/sign' });
    expect(await alice.ok('GET', `/profile/${NOTICES}`)).toMatchObject({
      displayname: 'The pub',
      avatar_url: 'mxc://a.example/sign',
    });
    const said = await alice.call('PUT', `${path}/send/m.room.message/1`, content);
    expect(said.status).toBe(403);
  });

  it('comes into the same room as those before, to which who has left is invited again', async () => {
    await Promise.all([send({ user_id: alice.userId, content }), send({ user_id: alice.userId, content })]);
    const rooms = await roomsOf(alice);
    expect(rooms).toHaveLength(1);
    const path = `/rooms/${encodeURIComponent(rooms[0]!)}`;
    await alice.ok('POST', `${path}/join`, {});
    await alice.ok('POST', `${path}/leave`, {});
    await alice.ok('POST', `${path}/forget`, {});
    expect((await send({ user_id: alice.userId, content })).status).toBe(200);
    expect(await roomsOf(alice)).toEqual(rooms);
    expect((await alice.call('POST', `${path}/leave`, {})).body.errcode).toBe('M_CANNOT_LEAVE_SERVER_NOTICE_ROOM');
    const { tags } = await alice.ok('GET', `/user/${alice.userId}${path}/tags`);
    expect(tags).toHaveProperty(['m.server_notice']);
  });

  it('comes into no room of somebody else, into which its user was invited', async () => {
    const bob = await app.register('bob');
    await send({ user_id: bob.userId, content });
    const [room] = (await roomsOf(bob)) as [string];
    const path = `/rooms/${encodeURIComponent(room)}`;
    await bob.ok('POST', `${path}/join`, {});
    const invite = { type: 'm.room.member', state_key: alice.userId, content: { membership: 'invite' } };
    expect((await send({ user_id: bob.userId, ...invite })).status).toBe(200);
    await alice.ok('POST', `${path}/join`, {});
    expect(await roomsOf(alice)).toEqual([room]);
    expect((await send({ user_id: alice.userId, content })).status).toBe(200);
    const own = (await roomsOf(alice)).find((roomId) => roomId !== room);
    expect(own).toEqual(expect.any(String));
    expect((await bob.call('GET', `/rooms/${encodeURIComponent(own!)}/messages?dir=b`)).status).toBe(403);
    // Each keeps their own.
    for (const user of [alice, bob]) expect((await send({ user_id: user.userId, content })).status).toBe(200);
    expect([await roomsOf(alice), await roomsOf(bob)]).toEqual([[room, own], [room]]);
  });

  it('reaches who is suspended, and they answer it where the room lets them, and say nothing anywhere else', async () => {
    const bob = await app.register('bob');
    const [own, others] = [await alice.createRoom(), await bob.createRoom({ invite: [alice.userId] })];
    const suspend = `/_matrix/client/v1/admin/suspend/${alice.userId}`;
    expect((await app.call('PUT', suspend, { token: admin, body: { suspended: true } })).status).toBe(200);
    const { body: told } = await send({ user_id: alice.userId, content });
    const room = (await roomsOf(alice))[0]!;
    const pathOf = (roomId: string): string => `/rooms/${encodeURIComponent(roomId)}`;
    const v1 = (method: 'POST' | 'PUT', path: string, body: object): ReturnType<RoomsApp['call']> =>
      app.call(method, `/_matrix/client/api/v1${path}`, { token: alice.token, body });
    const joinIn = async (roomId: string): Promise<unknown[]> => {
      const name = encodeURIComponent(roomId);
      const { userId } = alice;
      const answers = [
        await alice.call('POST', `/join/${name}`, {}),
        await alice.call('POST', `/rooms/${name}/join`, {}),
        await v1('POST', `/join/${name}`, {}),
        await v1('PUT', `/join/${name}/of-${name}`, {}),
        await v1('POST', `/rooms/${name}/join`, {}),
        await v1('PUT', `/rooms/${name}/state/m.room.member/${userId}`, { membership: 'join' }),
      ];
      return answers.map(({ status, body }) => body.errcode ?? status);
    };
    const another = { sender: '@x:b.example', mxid: alice.userId, token: 't', signatures: {} };
    for (const said of [{ displayname: 'somebody else' }, { avatar_url: 'mxc://b/a' }, { third_party_signed: another }])
      expect((await alice.call('POST', `/join/${encodeURIComponent(room)}`, said)).body.errcode).toBe(
        'M_USER_SUSPENDED',
      );
    const asState = { membership: 'join' };
    const stateOf = (roomId: string) => `${pathOf(roomId)}/state/m.room.member/${alice.userId}`;
    expect((await alice.call('PUT', stateOf(others), asState)).body.errcode).toBe('M_USER_SUSPENDED');
    await alice.ok('PUT', stateOf(room), asState);
    await alice.ok('POST', `${pathOf(room)}/leave`, {});
    await send({ user_id: alice.userId, content });
    expect(await joinIn(room)).toEqual(Array.from({ length: 6 }, () => 200));
    expect(await joinIn(others)).toEqual(Array.from({ length: 6 }, () => 'M_USER_SUSPENDED'));
    expect(await alice.ok('GET', `${pathOf(room)}/event/${told.event_id}`)).toMatchObject({ content });

    let transactions = 0;
    const sayIn = async (roomId: string): Promise<unknown[]> => {
      const path = `${pathOf(roomId)}/send/m.room.message`;
      const answers = [
        await alice.call('PUT', `${path}/t${transactions++}`, content),
        await alice.call('POST', path, content),
        await v1('PUT', `${path}/t${transactions++}`, content),
        await v1('POST', path, content),
      ];
      return answers.map(({ status, body }) => body.errcode ?? status);
    };
    expect(await sayIn(room)).toEqual(Array.from({ length: 4 }, () => 'M_FORBIDDEN'));
    const levels = await alice.ok('GET', `${pathOf(room)}/state/m.room.power_levels`);
    const open = { ...levels, users_default: 0 };
    const state = { user_id: alice.userId, type: 'm.room.power_levels', state_key: '', content: open };
    expect((await send(state)).status).toBe(200);
    expect(await sayIn(room)).toEqual(Array.from({ length: 4 }, () => 200));
    for (const roomId of [own, others])
      expect(await sayIn(roomId)).toEqual(Array.from({ length: 4 }, () => 'M_USER_SUSPENDED'));

    const token = await signInAsNotices();
    const read = `/_matrix/client/v3${pathOf(room)}/messages?dir=b&limit=4`;
    const { chunk } = (await app.call('GET', read, { token })).body;
    expect(chunk.map(({ sender }: { sender: string }) => sender)).toEqual(
      Array.from({ length: 4 }, () => alice.userId),
    );

    const path = pathOf(room);
    const topic = await alice.call('PUT', `${path}/state/m.room.topic`, { topic: 'mine' });
    expect(topic.body.errcode).toBe('M_FORBIDDEN');
    const named = { membership: 'join', displayname: 'somebody else' };
    const offer = { display_name: 'b', key_validity_url: 'https://b.example', public_key: 'x' };
    for (const { body } of [
      await alice.call('PUT', `${path}/state/m.room.third_party_invite/token`, offer),
      await alice.call('PUT', `${path}/state/m.room.member/${alice.userId}`, named),
      await alice.call('PUT', `${path}/state/m.room.member/${bob.userId}`, { membership: 'invite' }),
      await alice.call('POST', `${path}/invite`, { user_id: bob.userId }),
      await alice.call('PUT', `${path}/send/m.room.message/later?org.matrix.msc4140.delay=1000`, content),
    ])
      expect(body.errcode).toBe('M_USER_SUSPENDED');
  });

  it('goes to none of the rooms that the operator begins otherwise as the notices user, which are as any others', async () => {
    await send({ user_id: alice.userId, content });
    const token = await signInAsNotices();
    const [bob, carol] = [await app.register('bob'), await app.register('carol')];
    const begin = async (body: object): Promise<string> =>
      (await app.call('POST', '/_matrix/client/v3/createRoom', { token, body })).body.room_id;
    const hall = await begin({ preset: 'public_chat', creation_content: { 'm.federate': false } });
    const club = await begin({ preset: 'private_chat', invite: [bob.userId, carol.userId] });
    const pathOf = (roomId: string): string => `/rooms/${encodeURIComponent(roomId)}`;
    for (const roomId of [hall, club]) await bob.ok('POST', `${pathOf(roomId)}/join`, {});
    const { body: told } = await send({ user_id: bob.userId, content });
    const [own, ...more] = (await roomsOf(bob)).filter((roomId) => roomId !== club);
    expect([typeof own, more]).toEqual(['string', []]);
    await bob.ok('POST', `${pathOf(own!)}/join`, {});
    for (const roomId of [own!, hall, club]) {
      const isOwn = roomId === own;
      const { status } = await bob.call('GET', `${pathOf(roomId)}/event/${told.event_id}`);
      const { tags } = await bob.ok('GET', `/user/${bob.userId}${pathOf(roomId)}/tags`);
      expect([status, tags]).toEqual(isOwn ? [200, { 'm.server_notice': {} }] : [404, {}]);
    }
    const suspend = `/_matrix/client/v1/admin/suspend/`;
    for (const { userId } of [alice, carol])
      expect((await app.call('PUT', suspend + userId, { token: admin, body: { suspended: true } })).status).toBe(200);
    for (const [who, roomId] of [
      [alice, hall],
      [carol, club],
    ] as const)
      expect((await who.call('POST', `${pathOf(roomId)}/join`, {})).body.errcode).toBe('M_USER_SUSPENDED');
    await carol.ok('POST', `${pathOf(club)}/leave`, {});
  });

  it('comes into the room that its room was upgraded to, and into a new one where that is none of theirs alone', async () => {
    await send({ user_id: alice.userId, content });
    const [first] = (await roomsOf(alice)) as [string];
    const token = await signInAsNotices();
    const as = (method: 'POST' | 'PUT', path: string, body: object): ReturnType<RoomsApp['call']> =>
      app.call(method, `/_matrix/client/v3/rooms/${path}`, { token, body });
    const upgrade = async (room: string, version: string): Promise<string> =>
      (await as('POST', `${encodeURIComponent(room)}/upgrade`, { new_version: version })).body.replacement_room;
    const told = async (): Promise<{ room: string; id: string }> => {
      const { event_id: id } = (await send({ user_id: alice.userId, content })).body;
      for await (const some of app.store.readAll({ after: START }))
        for (const { stream, data } of some) if (data.includes(id)) return { room: stream.slice(5), id };
      return expect.unreachable('it was sent');
    };
    const second = await upgrade(await upgrade(first, '11'), '12');
    const { room, id } = await told();
    expect([room, (await told()).room]).toEqual([second, second]);
    await alice.ok('POST', `/join/${encodeURIComponent(second)}`, {});
    expect(await alice.ok('GET', `/rooms/${encodeURIComponent(second)}/event/${id}`)).toMatchObject({ content });
    const { tags } = await alice.ok('GET', `/user/${alice.userId}/rooms/${encodeURIComponent(second)}/tags`);
    expect(tags).toEqual({ 'm.server_notice': {} });

    const bob = await app.register('bob');
    const others = await upgrade(second, '12');
    await as('POST', `${encodeURIComponent(others)}/invite`, { user_id: bob.userId });
    const own = (await told()).room;
    expect([first, second, others]).not.toContain(own);
    const replace = async (from: string, to: string): Promise<void> => {
      const tombstone = { body: 'replaced', replacement_room: to };
      expect((await as('PUT', `${encodeURIComponent(from)}/state/m.room.tombstone`, tombstone)).status).toBe(200);
    };
    await replace(own, others);
    const last = (await told()).room;
    expect([first, second, others, own]).not.toContain(last);
    // Each names the other one.
    await replace(own, last);
    expect((await told()).room).toBe(last);
    await replace(last, own);
    expect([first, second, others, own, last]).not.toContain((await told()).room);
  });

  it('is pinned in the newest room alone: nothing is in those of before, where clients would show it still', async () => {
    const pin = async (pinned: readonly string[]): Promise<void> => {
      const state = { user_id: alice.userId, type: 'm.room.pinned_events', state_key: '', content: { pinned } };
      expect((await send(state)).status).toBe(200);
    };
    const [{ event_id: id }, token] = [(await send({ user_id: alice.userId, content })).body, await signInAsNotices()];
    await pin([id]);
    const rooms = (await roomsOf(alice)) as [string];
    await alice.ok('POST', `/join/${encodeURIComponent(rooms[0])}`, {});
    const as = (method: 'GET' | 'POST' | 'PUT', path: string, body?: object): ReturnType<RoomsApp['call']> =>
      app.call(method, `/_matrix/client/v3/rooms/${path}`, { token, body });
    for (const version of ['11', '12']) {
      const path = `${encodeURIComponent(rooms.at(-1)!)}/upgrade`;
      rooms.push((await as('POST', path, { new_version: version })).body.replacement_room);
    }
    const pinnedIn = (room: string): ReturnType<RoomsApp['call']> =>
      as('GET', `${encodeURIComponent(room)}/state/m.room.pinned_events`);
    expect((await pinnedIn(rooms[0])).body).toEqual({ pinned: [id] });
    await pin([]);
    expect((await pinnedIn(rooms.at(-1)!)).body).toEqual({ pinned: [] });
    expect((await pinnedIn(rooms[0])).body).toEqual({ pinned: [] });
  });

  it('lets go who closes their account', async () => {
    await send({ user_id: alice.userId, content });
    const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, password: 'of alice' };
    const challenge = await alice.call('POST', '/account/deactivate', {});
    const { session } = challenge.body;
    expect((await alice.call('POST', '/account/deactivate', { auth: { ...auth, session } })).status).toBe(200);
    const last = async (): Promise<unknown> => (await membershipsOf(alice)).at(-1);
    await expect.poll(last).toBe('leave');
  });

  it('is sent once under a transaction id of one administrator, and may be state, as one that is pinned', async () => {
    const usage = {
      msgtype: 'm.server_notice',
      server_notice_type: 'm.server_notice.usage_limit_reached',
      limit_type: 'monthly_active_user',
      admin_contact: 'mailto:root@a.example',
      body: 'too many of you',
    };
    const told = { user_id: alice.userId, content: usage };
    const [one, again, other] = [await send(told, '1'), await send(told, '1'), await send(told, '2')];
    expect(again.body).toEqual(one.body);
    expect(other.body).not.toEqual(one.body);
    const pinned = [one.body.event_id];
    const state = { user_id: alice.userId, type: 'm.room.pinned_events', state_key: '', content: { pinned } };
    expect((await send(state)).status).toBe(200);
    const [room] = (await roomsOf(alice)) as [string];
    await alice.ok('POST', `/join/${encodeURIComponent(room)}`, {});
    expect(await alice.ok('GET', `/rooms/${encodeURIComponent(room)}/state/m.room.pinned_events`)).toEqual({ pinned });
  });

  it('is for administrators to send, to users who are here', async () => {
    expect((await send({ user_id: alice.userId, content }, undefined, alice.token)).body.errcode).toBe('M_FORBIDDEN');
    for (const user of ['@nobody:a.example', '@alice:b.example', NOTICES])
      expect([user, (await send({ user_id: user, content })).body.errcode]).toEqual([user, 'M_NOT_FOUND']);
    for (const body of [
      {},
      { user_id: alice.userId },
      { user_id: 'x', content },
      { user_id: alice.userId, content: [] },
    ])
      expect([body, (await send(body)).status]).toEqual([body, 400]);
    expect(await roomsOf(alice)).toEqual([]);
  });

  it('comes from a user whose name nobody can register', async () => {
    const body = { username: 'announcer', password: 'a password', auth: { type: 'm.login.dummy' } };
    const taken = await app.call('POST', '/_matrix/client/v3/register', { body });
    expect(taken.body.errcode).toBe('M_EXCLUSIVE');
    const free = await app.call('GET', '/_matrix/client/v3/register/available?username=announcer');
    expect(free.body.errcode).toBe('M_EXCLUSIVE');
  });

  it('is not there where no notices user is chosen', async () => {
    await app.close();
    await start({ ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET });
    const { status, body } = await send({ user_id: alice.userId, content });
    expect([status, body.errcode]).toEqual([400, 'M_UNKNOWN']);
    const bob = await app.register('announcer');
    const room = await bob.createRoom({ invite: [alice.userId] });
    expect((await alice.call('POST', `/rooms/${encodeURIComponent(room)}/leave`, {})).status).toBe(200);
  });
});
