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

  it('refuses what is no token, no limit and no kind', async () => {
    for (const query of ['from=x', 'from=s1_0', 'limit=0', 'limit=x', 'only=all']) {
      const { status, body } = await alice.call('GET', `/notifications?${query}`);
      expect([query, status, body.errcode]).toEqual([query, 400, 'M_INVALID_PARAM']);
    }
  });
});
