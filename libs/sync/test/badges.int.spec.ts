import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';
import { ActiveUsers } from '../src/notifier/active-users.js';
import { Badges } from '../src/unread/badges.js';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let roomId: string;
let counter = 0;

beforeAll(async () => void (app = await SyncApp.start()));
afterAll(() => app.close());
beforeEach(async () => {
  counter++;
  [alice, bob] = await Promise.all([app.register(`alice${counter}`), app.register(`bob${counter}`)]);
  roomId = await bob.createRoom({ preset: 'public_chat' });
  await alice.join(roomId);
});

const badge = async (user: SyncUser = alice): Promise<number> =>
  (await app.get(Badges).read(user.userId as UserId)).unread;

/** What /sync counts, in all rooms and threads. */
async function counted(user: SyncUser = alice): Promise<number> {
  const filter = { room: { timeline: { unread_thread_notifications: true } } };
  const { rooms } = await user.sync({ filter });
  let sum = Object.keys(rooms.invite ?? {}).length;
  for (const { unread_notifications: main, unread_thread_notifications: threads = {} } of Object.values<{
    unread_notifications: { notification_count: number };
    unread_thread_notifications?: Record<string, { notification_count: number }>;
  }>(rooms.join)) {
    sum += main.notification_count;
    for (const { notification_count: count } of Object.values(threads)) sum += count;
  }
  return sum;
}

/** What GET /notifications says is unread. */
async function listed(user: SyncUser = alice): Promise<number> {
  const { notifications } = await user.ok('GET', '/notifications?limit=100');
  return (notifications as { read: boolean }[]).filter(({ read }) => !read).length;
}

const inThread = (root: string): object => ({ 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
const redact = (user: SyncUser, eventId: string): Promise<unknown> =>
  user.ok('PUT', `${roomPath(roomId)}/redact/${encodeURIComponent(eventId)}/r${++counter}`, {});
const read = (user: SyncUser, eventId: string, body: object = {}): Promise<unknown> =>
  user.ok('POST', `${roomPath(roomId)}/receipt/m.read/${encodeURIComponent(eventId)}`, body);
const ignore = (...users: SyncUser[]): Promise<unknown> =>
  alice.ok('PUT', `/user/${alice.userId}/account_data/m.ignored_user_list`, {
    ignored_users: Object.fromEntries(users.map(({ userId }) => [userId, {}])),
  });

describe('the number of what is unread', () => {
  it('is that of /sync and of the list of notifications, with threads, as things are read, redacted, ignored and made anew', async () => {
    const carol = await app.register(`carol${counter}`);
    await carol.join(roomId);
    const same = async (expected: number): Promise<void> => {
      await app.settled();
      expect([await badge(), await counted(), await listed()]).toEqual([expected, expected, expected]);
    };
    const root = await bob.send(roomId, 'root');
    const inner = await bob.send(roomId, 'in it', inThread(root));
    await carol.send(roomId, 'in it too', inThread(root));
    const last = await carol.send(roomId, 'main');
    await same(4);
    await redact(bob, inner);
    await same(3);
    await ignore(carol);
    await same(1);
    await ignore();
    await same(3);
    await read(alice, last, { thread_id: 'main' });
    await same(1);
    const again = await bob.send(roomId, 'once more', inThread(root));
    await same(2);
    // Made anew from the log.
    rmSync(join(app.directory, 'views'), { recursive: true, force: true });
    await app.restart();
    await same(2);
    await redact(bob, again);
    await same(1);
    await read(alice, again);
    await same(0);
  });

  it('is right where a redaction takes effect by itself, behind its event', async () => {
    const eventId = await bob.send(roomId, 'soon gone');
    await bob.send(roomId, 'here to stay');
    expect(await badge()).toBe(2);
    // As where the redaction was here before what it redacts, and where the views tell of both one after another.
    const active = app.get(ActiveUsers);
    await bob.createRoom();
    await app.settled();
    const { position } = active;
    const data = JSON.stringify({ event_id: eventId as EventId });
    const fact = { type: 'pdu-redacted', stream: `room-${roomId as RoomId}`, position, data };
    active.hear([fact as unknown as RecordedFact]);
    expect(await badge()).toBe(1);
  });

  it('looks nothing up where nothing has happened, also of who follows threads', async () => {
    const root = await bob.send(roomId, 'root');
    const path = `/_matrix/client/unstable/io.element.msc4306${roomPath(roomId)}/thread/${encodeURIComponent(root)}/subscription`;
    await alice.ok('PUT', path, {});
    await expect
      .poll(async () => (await alice.ok('GET', '/pushrules/global/postcontent/'))[1])
      .toMatchObject({ enabled: true });
    await bob.send(roomId, 'heard', inThread(root));
    await app.settled();
    expect(await badge()).toBe(2);
    const scans = vi.spyOn(app.views, 'scan');
    expect(await badge()).toBe(2);
    expect(scans.mock.calls.map(([collection]) => collection)).toEqual([]);
    scans.mockRestore();
    await alice.ok('DELETE', path);
    await app.settled();
    expect(await badge()).toBe(1);
  });
});
