import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roomPath, SyncApp, type SyncAnswer, type SyncUser } from '#testing/sync-app';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, bob] = await Promise.all([app.register('alice'), app.register('bob')]);
});
afterAll(() => app.close());

const list = (user: SyncUser, query = ''): Promise<SyncAnswer['body']> => user.ok('GET', `/notifications${query}`);
const idsOf = ({ notifications }: SyncAnswer['body']): string[] =>
  notifications.map(({ event }: { event: { event_id: string } }) => event.event_id);
const fresh = async (name: string): Promise<{ user: SyncUser; room: string }> => {
  const user = await app.register(name);
  const room = await user.createRoom({ preset: 'public_chat' });
  await bob.join(room);
  return { user, room };
};

describe('GET /notifications', () => {
  it('lists what notified, the newest first, by what it did so and whether it was read', async () => {
    const { user, room } = await fresh('carol');
    const other = await user.createRoom({ preset: 'public_chat' });
    await bob.join(other);
    const one = await bob.send(room, 'one');
    const two = await bob.send(other, 'two', { 'm.mentions': { user_ids: [user.userId] } });
    await bob.send(room, 'a notice', { msgtype: 'm.notice' });
    await user.ok('POST', `${roomPath(room)}/receipt/m.read/${encodeURIComponent(one)}`, {});
    const { notifications, next_token: next } = await list(user);
    expect(next).toBeUndefined();
    expect(notifications).toMatchObject([
      { event: { event_id: two, sender: bob.userId }, room_id: other, read: false, ts: expect.any(Number) },
      { event: { event_id: one, content: { body: 'one' } }, room_id: room, read: true },
    ]);
    expect(notifications[0].event).not.toHaveProperty('room_id');
    expect(notifications[0].actions).toContainEqual({ set_tweak: 'highlight' });
    expect(notifications[1].actions).toEqual(['notify', { set_tweak: 'sound', value: 'default' }]);
    expect(idsOf(await list(user, '?only=highlight'))).toEqual([two]);
    await user.send(other, 'an answer');
    expect((await list(user)).notifications[0].read).toBe(true);
    expect(idsOf(await list(bob))).not.toContain(two);
  });

  it('is in step with the counts of unread messages', async () => {
    const { user, room } = await fresh('dave');
    await bob.send(room, 'one');
    const gone = await bob.send(room, 'two');
    await bob.ok('PUT', `${roomPath(room)}/redact/${encodeURIComponent(gone)}/x`, {});
    const three = await bob.send(room, 'three');
    const { notifications } = await list(user);
    const unread = notifications.filter(({ read }: { read: boolean }) => !read);
    const counts = (await user.sync()).rooms.join[room].unread_notifications;
    expect(unread).toHaveLength(counts.notification_count);
    expect(idsOf({ notifications })[0]).toBe(three);
    await user.ok('PUT', `/user/${user.userId}/account_data/m.ignored_user_list`, {
      ignored_users: { [bob.userId]: {} },
    });
    expect((await list(user)).notifications).toEqual([]);
  });

  it('goes on where a page ended, whatever comes meanwhile', async () => {
    const { user, room } = await fresh('erin');
    const rooms = [room, await user.createRoom({ preset: 'public_chat' })];
    await bob.join(rooms[1]!);
    const ids: string[] = [];
    for (let i = 0; i < 40; i++) ids.push(await bob.send(rooms[i % 2]!, `message ${i}`));
    const seen: string[] = [];
    let from = '';
    do {
      const page = await list(user, `?limit=7${from}`);
      seen.push(...idsOf(page));
      await bob.send(room, 'meanwhile');
      from = page.next_token === undefined ? '' : `&from=${page.next_token}`;
    } while (from !== '');
    expect(seen).toEqual(ids.toReversed());
  });

  it('has nothing of before one came, or of rooms that one has left', async () => {
    const { user, room } = await fresh('frank');
    await bob.send(room, 'early');
    const late = await app.register('grace');
    await late.join(room);
    expect((await list(late)).notifications).toEqual([]);
    const seen = await bob.send(room, 'later');
    expect(idsOf(await list(late))).toEqual([seen]);
    await late.leave(room);
    expect((await list(late)).notifications).toEqual([]);
    expect((await list(user)).notifications).toHaveLength(2);
  });

  it('tells of invitations, which are read once they are accepted', async () => {
    const { user, room } = await fresh('heidi');
    const other = await bob.createRoom({ preset: 'private_chat' });
    await bob.send(other, 'before they were invited');
    await bob.ok('POST', `${roomPath(other)}/invite`, { user_id: user.userId });
    await bob.send(other, 'while they were');
    const said = await bob.send(room, 'elsewhere');
    const invitation = { event: { type: 'm.room.member', state_key: user.userId, content: { membership: 'invite' } } };
    const [first, second, ...none] = (await list(user)).notifications;
    expect(first.event.event_id).toBe(said);
    expect(second).toMatchObject({ ...invitation, room_id: other, read: false });
    expect(none).toEqual([]);
    const page = await list(user, '?limit=1');
    expect((await list(user, `?limit=1&from=${page.next_token}`)).notifications).toMatchObject([invitation]);
    await user.join(other);
    expect((await list(user)).notifications[1]).toMatchObject({ ...invitation, read: true });
    await user.ok('PUT', `/user/${user.userId}/account_data/m.ignored_user_list`, {
      ignored_users: { [bob.userId]: {} },
    });
    expect((await list(user)).notifications).toEqual([]);
  });

  it('has read what was said in a stay before, as the counts say, also in threads', async () => {
    const { user, room } = await fresh('ivan');
    const root = await bob.send(room, 'a thread');
    const inThread = { 'm.relates_to': { rel_type: 'm.thread', event_id: root } };
    await bob.send(room, 'in it', inThread);
    await user.leave(room);
    await user.join(room);
    const later = await bob.send(room, 'in it again', inThread);
    const { notifications } = await list(user);
    const unread = notifications.filter(({ read }: { read: boolean }) => !read);
    expect(idsOf({ notifications: unread })).toEqual([later]);
    expect(notifications.length).toBeGreaterThan(1);
    const filter = encodeURIComponent(JSON.stringify({ room: { timeline: { unread_thread_notifications: true } } }));
    const { body } = await user.call('GET', `/sync?filter=${filter}`);
    const joined = body.rooms.join[room];
    expect(joined.unread_notifications.notification_count).toBe(0);
    expect(joined.unread_thread_notifications[root].notification_count).toBe(1);
  });

  it('refuses what is no token, no limit and no kind', async () => {
    for (const query of ['from=x', 'from=s1_0', 'limit=0', 'limit=x', 'only=all']) {
      const { status, body } = await alice.call('GET', `/notifications?${query}`);
      expect([query, status, body.errcode]).toEqual([query, 400, 'M_INVALID_PARAM']);
    }
  });
});
