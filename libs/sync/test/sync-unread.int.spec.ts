import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let carol: SyncUser;

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, bob, carol] = await Promise.all([app.register('alice'), app.register('bob'), app.register('carol')]);
});
afterAll(() => app.close());

async function sharedRoom(options: object = {}): Promise<string> {
  const roomId = await alice.createRoom({ preset: 'public_chat', ...options });
  await bob.join(roomId);
  await carol.join(roomId);
  return roomId;
}

describe('unread notifications', () => {
  const counts = async (user: SyncUser, roomId: string, filter?: object): Promise<Record<string, object>> => {
    const room = (await user.sync(filter === undefined ? {} : { filter })).rooms.join[roomId];
    return { ...room.unread_notifications, ...room.unread_thread_notifications };
  };

  it('count what others write, highlight mentions, and end with a receipt or an own message', async () => {
    const roomId = await sharedRoom();
    expect(await counts(alice, roomId)).toEqual({ notification_count: 0, highlight_count: 0 });
    await bob.send(roomId, 'one');
    const second = await bob.send(roomId, 'two', { 'm.mentions': { user_ids: [alice.userId] } });
    await bob.send(roomId, 'a notice', { msgtype: 'm.notice' });
    expect(await counts(alice, roomId)).toEqual({ notification_count: 2, highlight_count: 1 });
    expect(await counts(bob, roomId)).toEqual({ notification_count: 0, highlight_count: 0 });

    await bob.send(roomId, 'three');
    await alice.ok('POST', `${roomPath(roomId)}/receipt/m.read/${encodeURIComponent(second)}`, {});
    expect(await counts(alice, roomId)).toEqual({ notification_count: 1, highlight_count: 0 });
    await alice.send(roomId, 'answer');
    expect(await counts(alice, roomId)).toEqual({ notification_count: 0, highlight_count: 0 });
    await carol.send(roomId, 'four');
    expect(await counts(alice, roomId)).toEqual({ notification_count: 1, highlight_count: 0 });
  });

  it('are the same whether they were followed or are counted anew', async () => {
    const roomId = await sharedRoom();
    for (let i = 0; i < 5; i++) {
      await bob.send(roomId, `message ${i}`);
      await counts(alice, roomId);
    }
    const followed = await counts(alice, roomId);
    await app.restart();
    expect(await counts(alice, roomId)).toEqual(followed);
    expect(followed).toEqual({ notification_count: 5, highlight_count: 0 });
  });

  it('follow what the rules look at beside the events, whether they were followed or are counted anew', async () => {
    const [dave, roomId] = [await app.register('dave'), await sharedRoom()];
    const filter = { room: { timeline: { unread_thread_notifications: true } } };
    const expectCounts = async (expected: object): Promise<void> => {
      expect(await counts(carol, roomId, filter)).toEqual(expected);
      await app.restart();
      expect(await counts(carol, roomId, filter)).toEqual(expected);
    };
    const trust = async (level: number): Promise<void> => {
      const levels = await alice.ok('GET', `${roomPath(roomId)}/state/m.room.power_levels`);
      await alice.setState(roomId, 'm.room.power_levels', {
        ...levels,
        users: { ...levels.users, [bob.userId]: level },
      });
    };
    await bob.send(roomId, 'to all', { 'm.mentions': { room: true } });
    const one = { notification_count: 1, highlight_count: 0 };
    await expectCounts(one);
    await trust(50);
    await expectCounts({ notification_count: 1, highlight_count: 1 });
    await trust(0);
    await expectCounts(one);

    const conditions = [{ kind: 'room_member_count', is: '>3' }, { kind: 'event_match', key: 'type', pattern: 'm.room.message' }]; // prettier-ignore
    const actions = ['notify', { set_tweak: 'highlight' }];
    await carol.ok('PUT', '/pushrules/global/override/crowd', { conditions, actions });
    await expectCounts(one);
    await dave.join(roomId);
    await expectCounts({ notification_count: 1, highlight_count: 1 });
    await dave.leave(roomId);
    await expectCounts(one);

    await carol.ok('PUT', '/pushrules/global/override/.m.rule.contains_display_name/enabled', { enabled: true });
    await carol.ok('PUT', '/pushrules/global/override/.m.rule.contains_display_name/actions', { actions });
    const root = await bob.send(roomId, 'root');
    await bob.send(roomId, 'Caroline?', { 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
    await expectCounts({ notification_count: 2, highlight_count: 0, [root]: one });
    await carol.ok('PUT', `/profile/${carol.userId}/displayname`, { displayname: 'Caroline' });
    const none = { notification_count: 0, highlight_count: 0 };
    await expectCounts({ ...none, [root]: { notification_count: 1, highlight_count: 1 } });
  });

  it('end with an own message also where they are counted anew', async () => {
    const roomId = await sharedRoom();
    await bob.send(roomId, 'one');
    await alice.send(roomId, 'answer');
    await bob.send(roomId, 'two');
    await app.restart();
    expect(await counts(alice, roomId)).toEqual({ notification_count: 1, highlight_count: 0 });
  });

  it('are told for each thread where asked for', async () => {
    const roomId = await sharedRoom();
    const root = await bob.send(roomId, 'root');
    const inThread = { 'm.relates_to': { rel_type: 'm.thread', event_id: root } };
    await bob.send(roomId, 'reply', inThread);
    const reply = await bob.send(roomId, 'reply', inThread);
    const filter = { room: { timeline: { unread_thread_notifications: true } } };
    expect(await counts(alice, roomId)).toMatchObject({ notification_count: 3 });
    expect(await counts(alice, roomId, filter)).toEqual({
      notification_count: 1,
      highlight_count: 0,
      [root]: { notification_count: 2, highlight_count: 0 },
    });
    await alice.ok('POST', `${roomPath(roomId)}/receipt/m.read/${encodeURIComponent(reply)}`, { thread_id: root });
    expect(await counts(alice, roomId, filter)).toEqual({ notification_count: 1, highlight_count: 0 });
  });

  it('follow the push rules as they change', async () => {
    const roomId = await sharedRoom();
    await bob.send(roomId, 'one');
    expect(await counts(alice, roomId)).toMatchObject({ notification_count: 1 });
    await alice.ok('PUT', `/pushrules/global/room/${encodeURIComponent(roomId)}`, { actions: [] });
    expect(await counts(alice, roomId)).toMatchObject({ notification_count: 0 });
  });

  const threads = { room: { timeline: { unread_thread_notifications: true } } };
  const byThread = (roomId: string): Promise<Record<string, object>> => counts(alice, roomId, threads);
  const count = (notifications: number, highlights = 0): object => ({
    notification_count: notifications,
    highlight_count: highlights,
  });
  const related = (relType: string, eventId: string): object => ({
    'm.relates_to': { rel_type: relType, event_id: eventId },
  });
  const read = (roomId: string, eventId: string, body: object = {}, type = 'm.read'): Promise<unknown> =>
    alice.ok('POST', `${roomPath(roomId)}/receipt/${type}/${encodeURIComponent(eventId)}`, body);
  /** The counts as they are followed, and as they are counted anew, which must be the same. */
  const both = async (roomId: string): Promise<Record<string, object>> => {
    const followed = await byThread(roomId);
    await app.restart();
    expect(await byThread(roomId)).toEqual(followed);
    return followed;
  };

  it('leave out what was redacted, at once', async () => {
    const roomId = await sharedRoom();
    const mention = { 'm.mentions': { user_ids: [alice.userId] } };
    const [first, , third] = [
      await bob.send(roomId, 'one', mention),
      await bob.send(roomId, 'two'),
      await bob.send(roomId, 'three'),
    ];
    expect(await counts(alice, roomId)).toEqual(count(3, 1));
    for (const [eventId, left] of [
      [first, count(2)],
      [third, count(1)],
    ] as const) {
      await bob.ok('PUT', `${roomPath(roomId)}/redact/${encodeURIComponent(eventId)}/r${eventId.slice(1, 9)}`, {});
      expect(await counts(alice, roomId)).toEqual(left);
    }
    expect(await both(roomId)).toEqual(count(1));
  });

  it('leave out who is ignored, at once, and count them again when they are not', async () => {
    const roomId = await sharedRoom();
    const ignore = (users: object): Promise<unknown> =>
      alice.ok('PUT', `/user/${alice.userId}/account_data/m.ignored_user_list`, { ignored_users: users });
    await bob.send(roomId, 'one');
    await carol.send(roomId, 'two');
    expect(await counts(alice, roomId)).toEqual(count(2));
    await ignore({ [bob.userId]: {} });
    expect(await counts(alice, roomId)).toEqual(count(1));
    await bob.send(roomId, 'three');
    expect(await both(roomId)).toEqual(count(1));
    await ignore({});
    expect(await both(roomId)).toEqual(count(3));
  });

  it('find highlights and events far back, whether they were followed or are counted anew', async () => {
    const roomId = await sharedRoom();
    await bob.send(roomId, 'hey', { 'm.mentions': { user_ids: [alice.userId] } });
    for (let i = 0; i < 40; i++) await Promise.all([...Array(20).keys()].map((n) => bob.send(roomId, `${i} ${n}`)));
    expect(await counts(alice, roomId)).toEqual(count(801, 1));
    await bob.send(roomId, 'one more');
    expect(await both(roomId)).toEqual(count(802, 1));
  }, 60_000);

  it('find the thread of an event by up to three other relations', async () => {
    const roomId = await sharedRoom();
    const root = await bob.send(roomId, 'root');
    const chain = [await bob.send(roomId, 'in the thread', related('m.thread', root))];
    for (let i = 0; i < 4; i++) chain.push(await bob.send(roomId, `${i}`, related('m.reference', chain.at(-1)!)));
    await bob.send(roomId, 'about the root', related('m.reference', root));
    expect(await both(roomId)).toEqual({ ...count(3), [root]: count(4) });
  });

  it('know of no thread by way of an event that the user may not see, as their receipts do not', async () => {
    const roomId = await alice.createRoom({
      preset: 'public_chat',
      initial_state: [{ type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'joined' } }],
    });
    const root = await alice.send(roomId, 'root');
    const hidden = await alice.send(roomId, 'in the thread', related('m.thread', root));
    await carol.join(roomId);
    const last = await alice.send(roomId, 'about that', related('m.reference', hidden));
    expect(await counts(carol, roomId, threads)).toEqual(count(1));
    await carol.ok('POST', `${roomPath(roomId)}/receipt/m.read/${encodeURIComponent(last)}`, { thread_id: 'main' });
    expect(await counts(carol, roomId, threads)).toEqual(count(0));
  });

  it('end with an own message in its thread alone: the main timeline and other threads stay unread', async () => {
    const roomId = await sharedRoom();
    const [one, two] = [await bob.send(roomId, 'one'), await bob.send(roomId, 'two')];
    for (const root of [one, one, two, two, two]) await bob.send(roomId, 'reply', related('m.thread', root));
    expect(await byThread(roomId)).toEqual({ ...count(2), [one]: count(2), [two]: count(3) });
    await alice.send(roomId, 'mine', related('m.thread', one));
    expect(await both(roomId)).toEqual({ ...count(2), [two]: count(3) });
    await alice.send(roomId, 'mine');
    expect(await both(roomId)).toEqual({ ...count(0), [two]: count(3) });
    await bob.send(roomId, 'reply', related('m.thread', one));
    await bob.send(roomId, 'new');
    expect(await both(roomId)).toEqual({ ...count(1), [one]: count(1), [two]: count(3) });
    expect(await counts(alice, roomId)).toEqual(count(5));
  });

  it('end with an own message in its thread also where that was redacted, and where it is there by what it relates to alone', async () => {
    const roomId = await sharedRoom();
    const one = await bob.send(roomId, 'one');
    await bob.send(roomId, 'reply', related('m.thread', one));
    const mine = await alice.send(roomId, 'mine', related('m.thread', one));
    expect(await both(roomId)).toEqual(count(1));
    await alice.ok('PUT', `${roomPath(roomId)}/redact/${encodeURIComponent(mine)}/1`, {});
    await bob.send(roomId, 'main');
    expect(await both(roomId)).toEqual(count(1));
    const two = await bob.send(roomId, 'two');
    const last = await bob.send(roomId, 'reply', related('m.thread', two));
    await bob.send(roomId, 'reply', related('m.thread', two));
    await alice.send(roomId, 'about it', related('m.reference', last));
    await bob.send(roomId, 'about it', related('m.reference', last));
    expect(await both(roomId)).toEqual({ ...count(2), [two]: count(1) });
    await read(roomId, two, { thread_id: 'main' });
    expect(await both(roomId)).toEqual({ ...count(0), [two]: count(1) });
  });

  it('end with receipts: of the main timeline, of a thread, of all, private or not', async () => {
    const roomId = await sharedRoom();
    const root = await bob.send(roomId, 'root');
    const first = await bob.send(roomId, 'reply', related('m.thread', root));
    await bob.send(roomId, 'reply', related('m.thread', root));
    const main = await bob.send(roomId, 'main');
    expect(await byThread(roomId)).toEqual({ ...count(2), [root]: count(2) });
    await read(roomId, root, { thread_id: 'main' });
    expect(await both(roomId)).toEqual({ ...count(1), [root]: count(2) });
    await read(roomId, first, { thread_id: root }, 'm.read.private');
    expect(await both(roomId)).toEqual({ ...count(1), [root]: count(1) });
    await read(roomId, main, { thread_id: 'main' });
    expect(await both(roomId)).toEqual({ ...count(0), [root]: count(1) });
    await read(roomId, main);
    expect(await both(roomId)).toEqual(count(0));
  });

  it('know no receipt of a thread on an event that is not in it, wherever the one before it stands', async () => {
    const roomId = await sharedRoom();
    const root = await bob.send(roomId, 'root');
    const beside = await bob.send(roomId, 'main');
    const first = await bob.send(roomId, 'reply', related('m.thread', root));
    const path = `${roomPath(roomId)}/receipt/m.read/${encodeURIComponent(beside)}`;
    const refused = { status: 400, body: { errcode: 'M_INVALID_PARAM' } };
    expect(await alice.call('POST', path, { thread_id: root })).toMatchObject(refused);
    await read(roomId, first, { thread_id: root });
    expect(await alice.call('POST', path, { thread_id: root })).toMatchObject(refused);
  });

  it('begin with the join of the user, in threads too', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(roomId);
    const root = await bob.send(roomId, 'before');
    await bob.send(roomId, 'before', related('m.thread', root));
    await carol.join(roomId);
    await carol.ok('PUT', `/profile/${carol.userId}/displayname`, { displayname: 'Carol' });
    const after = await bob.send(roomId, 'after', related('m.thread', root));
    await carol.ok('PUT', `/profile/${carol.userId}/displayname`, { displayname: 'Carola' });
    const ofCarol = (): Promise<Record<string, object>> => counts(carol, roomId, threads);
    expect(await ofCarol()).toEqual({ ...count(0), [root]: count(1) });
    await app.restart();
    expect(await ofCarol()).toEqual({ ...count(0), [root]: count(1) });
    expect(after).toBeDefined();
  });
});
