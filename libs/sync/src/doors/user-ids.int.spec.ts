import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryOf, roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, bob] = [await app.register('alice'), await app.register('bob')];
});
afterAll(() => app.close());

const BOB = '@BOB:a.example';
const ALICE = '@Alice:a.example';

async function membershipOf(roomId: string, userId: string): Promise<string | undefined> {
  const events: { type: string; state_key: string; content: { membership: string } }[] = await alice.ok(
    'GET',
    `${roomPath(roomId)}/state`,
  );
  return events.find(({ type, state_key }) => type === 'm.room.member' && state_key === userId)?.content.membership;
}

/** "They are case-insensitive": the specification of 2014 and 2015, "Architecture". */
describe('the user ids of this server, in any case', () => {
  it.each(['today', '2015'])('name who is invited, kicked, banned and let in again by the door of %s', async (door) => {
    const roomId = await alice.createRoom();
    const act = async (action: string): Promise<void> => {
      const path = `${roomPath(roomId)}/${action}`;
      const answer = await (door === '2015'
        ? alice.v1('POST', path, { user_id: BOB })
        : alice.call('POST', path, { user_id: BOB }));
      expect([action, answer.status]).toEqual([action, 200]);
      expect(await membershipOf(roomId, BOB)).toBeUndefined();
    };
    await act('invite');
    expect((await bob.sync()).rooms.invite[roomId]).toBeDefined();
    await bob.join(roomId);
    await act('kick');
    expect(await membershipOf(roomId, bob.userId)).toBe('leave');
    await act('ban');
    expect(await membershipOf(roomId, bob.userId)).toBe('ban');
    if (door === 'today') await act('unban');
  });

  it('name who is invited to a new room, and who creates the next one with its upgrade', async () => {
    const today = await alice.createRoom({ invite: [BOB] });
    expect(await membershipOf(today, bob.userId)).toBe('invite');
    const { body } = await alice.v1('POST', '/createRoom', { invite: [BOB], visibility: 'private' });
    expect(await membershipOf(body.room_id, bob.userId)).toBe('invite');
    const { replacement_room: next } = await alice.ok('POST', `${roomPath(today)}/upgrade`, {
      new_version: '12',
      additional_creators: [BOB],
    });
    const create = await alice.ok('GET', `${roomPath(next)}/state/m.room.create`);
    expect(create.additional_creators).toEqual([bob.userId]);
    // "When upgrading to a room version which doesn't support additional creators, this field is ignored".
    const ignored = { new_version: '11', additional_creators: ['nobody'] };
    await alice.ok('POST', `${roomPath(next)}/upgrade`, ignored);
    const refused = await alice.call('POST', `${roomPath(next)}/upgrade`, { ...ignored, new_version: '12' });
    expect(refused).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
  });

  it('name whose membership is read and set as state', async () => {
    const roomId = await alice.createRoom();
    const state = `${roomPath(roomId)}/state/m.room.member/${encodeURIComponent(BOB)}`;
    await alice.ok('PUT', state, { membership: 'invite' });
    expect(await membershipOf(roomId, bob.userId)).toBe('invite');
    expect(await membershipOf(roomId, BOB)).toBeUndefined();
    expect((await alice.ok('GET', state)).membership).toBe('invite');
    await bob.join(roomId);
    expect((await alice.v1('GET', state)).body.membership).toBe('join');
    expect((await alice.v1('PUT', state, { membership: 'leave' })).status).toBe(200);
    expect(await membershipOf(roomId, bob.userId)).toBe('leave');
  });

  it('are the own ones of who asks, in every path', async () => {
    const roomId = await alice.createRoom();
    const me = encodeURIComponent(ALICE);
    for (const door of ['/_matrix/client/v3', '/_matrix/client/api/v1']) {
      await alice.ok('PUT', `${door}${roomPath(roomId)}/typing/${me}`, { typing: true });
      await alice.ok('PUT', `${door}/profile/${me}/displayname`, { displayname: 'A' });
      expect(await bob.ok('GET', `${door}/profile/${me}/displayname`)).toEqual({ displayname: 'A' });
      expect(await bob.ok('GET', `${door}/profile/${me}`)).toMatchObject({ displayname: 'A' });
    }
    const { rooms } = await alice.sync();
    expect(rooms.join[roomId].ephemeral.events).toContainEqual(
      expect.objectContaining({ type: 'm.typing', content: { user_ids: [alice.userId] } }),
    );
    await alice.ok('PUT', `/user/${me}/account_data/org.example.x`, { user: BOB });
    // What is content stays as it was written.
    expect(await alice.ok('GET', `/user/${alice.userId}/account_data/org.example.x`)).toEqual({ user: BOB });
    await alice.ok('PUT', `/user/${me}/rooms/${encodeURIComponent(roomId)}/tags/u.x`, {});
    expect((await alice.ok('GET', `/user/${me}/rooms/${encodeURIComponent(roomId)}/tags`)).tags).toEqual({ 'u.x': {} });
    const { filter_id: id } = await alice.ok('POST', `/user/${me}/filter`, { room: { timeline: { senders: [BOB] } } });
    expect(await alice.ok('GET', `/user/${me}/filter/${id}`)).toEqual({ room: { timeline: { senders: [BOB] } } });
    expect((await alice.ok('POST', `/user/${me}/openid/request_token`, {})).matrix_server_name).toBe('a.example');
    expect((await bob.call('PUT', `${roomPath(roomId)}/typing/${me}`, { typing: true })).body.errcode).toBe(
      'M_FORBIDDEN',
    );
  });

  it('name the senders of a filter, and whom somebody ignores', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(roomId);
    await alice.send(roomId, 'of alice');
    await bob.send(roomId, 'of bob');
    const bodies = (events: { content: { body?: string } }[]): string[] =>
      events.flatMap(({ content }) => content.body ?? []);
    const timeline = { types: ['m.room.message'], senders: [BOB] };
    const inline = await alice.sync({ filter: { room: { timeline } } });
    expect(bodies(inline.rooms.join[roomId].timeline.events)).toEqual(['of bob']);
    const { filter_id: filter } = await alice.ok('POST', `/user/${alice.userId}/filter`, { room: { timeline } });
    const byId = await alice.sync({ filter });
    expect(bodies(byId.rooms.join[roomId].timeline.events)).toEqual(['of bob']);
    const page = await alice.ok('GET', `${roomPath(roomId)}/messages?${queryOf({ dir: 'b', filter: timeline })}`);
    expect(bodies(page.chunk)).toEqual(['of bob']);
    await alice.ok('PUT', `/user/${alice.userId}/account_data/m.ignored_user_list`, { ignored_users: { [BOB]: {} } });
    const ignoring = await alice.sync({ filter: { room: { timeline: { types: ['m.room.message'] } } } });
    expect(bodies(ignoring.rooms.join[roomId].timeline.events)).toEqual(['of alice']);
  });

  it('log in, in every form that a login takes', async () => {
    const login = (body: object) =>
      app.call('POST', '/_matrix/client/v3/login', undefined, {
        type: 'm.login.password',
        password: 'password of bob',
        ...body,
      });
    for (const user of ['BOB', BOB, 'bob']) {
      expect((await login({ identifier: { type: 'm.id.user', user } })).body.user_id).toBe(bob.userId);
      expect((await login({ user })).body.user_id).toBe(bob.userId);
    }
    const v1 = { type: 'm.login.password', user: BOB, password: 'password of bob' };
    expect((await app.call('POST', '/_matrix/client/api/v1/login', undefined, v1)).body.user_id).toBe(bob.userId);
  });

  it('are not found in those of another server, nor in what an event says', async () => {
    expect((await alice.call('GET', `/profile/${encodeURIComponent('@Alice:A.example')}`)).status).toBe(404);
    const roomId = await alice.createRoom();
    await alice.setState(roomId, 'org.example.users', { users: { [BOB]: 1 } }, 'key');
    expect(await alice.ok('GET', `${roomPath(roomId)}/state/org.example.users/key`)).toEqual({ users: { [BOB]: 1 } });
  });
});
