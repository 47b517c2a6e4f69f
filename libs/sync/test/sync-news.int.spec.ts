import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { queryOf, roomPath, SyncApp, type SyncUser } from '#testing/sync-app';
import { SyncContexts } from '../src/streams/sync-contexts.js';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, bob] = await Promise.all([app.register('alice'), app.register('bob')]);
});
afterAll(() => app.close());

type Event = { type: string; content: Record<string, unknown> };
const of = (events: Event[], type: string): Event | undefined => events.find((event) => event.type === type);

async function sharedRoom(): Promise<string> {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  return roomId;
}

describe('waiting for news', () => {
  it('ends with each kind of news, and only when there is some', async () => {
    const roomId = await sharedRoom();
    const eventId = encodeURIComponent(await alice.send(roomId, 'to be read'));
    let { next_batch: since } = await bob.sync();
    const causes: [string, () => Promise<unknown>][] = [
      ['a message', () => alice.send(roomId, 'hello')],
      [
        'typing',
        () => alice.ok('PUT', `${roomPath(roomId)}/typing/${alice.userId}`, { typing: true, timeout: 60_000 }),
      ],
      ['a receipt', () => alice.ok('POST', `${roomPath(roomId)}/receipt/m.read/${eventId}`, {})],
      ['account data', () => bob.ok('PUT', `/user/${bob.userId}/account_data/org.example`, { at: Date.now() })],
      ['a tag', () => bob.ok('PUT', `/user/${bob.userId}/rooms/${encodeURIComponent(roomId)}/tags/u.work`, {})],
      ['an invitation', () => alice.createRoom({ invite: [bob.userId] })],
      ['being kicked', () => alice.ok('POST', `${roomPath(roomId)}/kick`, { user_id: bob.userId })],
    ];
    for (const [name, cause] of causes) {
      let isAnswered = false;
      const waiting = bob.sync({ since, timeout: 20_000 }).then((answer) => {
        isAnswered = true;
        return answer;
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(isAnswered, `${name}: nothing happened yet`).toBe(false);
      await cause();
      const answer = await waiting;
      const { rooms = {}, account_data: data } = answer;
      expect(Object.keys(rooms).length + data.events.length, name).toBeGreaterThan(0);
      since = answer.next_batch;
    }
  });

  it('takes as long as was asked for, also where the clock is set back meanwhile', async () => {
    const { next_batch: since } = await bob.sync();
    const { end: from } = await bob.ok('GET', '/events?timeout=0');
    const waiting = [bob.sync({ since, timeout: 300 }), bob.ok('GET', `/events?from=${from}&timeout=300`)];
    await new Promise((resolve) => setTimeout(resolve, 100));
    const setBack = Date.now() - 3_600_000;
    vi.spyOn(Date, 'now').mockReturnValue(setBack);
    await Promise.all(waiting);
    vi.restoreAllMocks();
  }, 10_000);

  it('ends when somebody stops typing because the time is up', async () => {
    const roomId = await sharedRoom();
    await alice.ok('PUT', `${roomPath(roomId)}/typing/${alice.userId}`, { typing: true, timeout: 2_000 });
    const { next_batch: since, rooms } = await bob.sync();
    expect(of(rooms.join[roomId].ephemeral.events, 'm.typing')?.content).toEqual({ user_ids: [alice.userId] });
    const next = await bob.sync({ since, timeout: 20_000 });
    expect(of(next.rooms.join[roomId].ephemeral.events, 'm.typing')?.content).toEqual({ user_ids: [] });
  });

  it('ends when somebody who types leaves, is kicked or banned, or closes their account', async () => {
    const kick = (user: SyncUser, how: string) => (roomId: string) =>
      alice.ok('POST', `${roomPath(roomId)}/${how}`, { user_id: user.userId });
    const carol = await app.register('carol');
    const ends: [string, (roomId: string) => Promise<unknown>][] = [
      ['leave', (roomId) => carol.leave(roomId)],
      ['kick', (roomId) => kick(carol, 'kick')(roomId)],
      ['ban', (roomId) => kick(carol, 'ban')(roomId)],
      ['deactivate', () => carol.close()],
    ];
    for (const [name, end] of ends) {
      const roomId = await sharedRoom();
      await carol.join(roomId);
      await carol.ok('PUT', `${roomPath(roomId)}/typing/${carol.userId}`, { typing: true, timeout: 60_000 });
      const { next_batch: since, rooms } = await bob.sync();
      expect(of(rooms.join[roomId].ephemeral.events, 'm.typing')?.content, name).toEqual({ user_ids: [carol.userId] });
      await end(roomId);
      const next = await bob.sync({ since });
      expect(of(next.rooms.join[roomId].ephemeral.events, 'm.typing')?.content, name).toEqual({ user_ids: [] });
      const page = await bob.v1('GET', `/events?from=${since}&timeout=0`);
      expect(page.body.chunk.filter((event: Event) => event.type === 'm.typing')).toMatchObject([
        { room_id: roomId, content: { user_ids: [] } },
      ]);
    }
  });

  it('goes on with a typist who takes another name', async () => {
    const roomId = await sharedRoom();
    await alice.ok('PUT', `${roomPath(roomId)}/typing/${alice.userId}`, { typing: true, timeout: 60_000 });
    const member = { membership: 'join', displayname: `Alice of ${roomId}` };
    await alice.setState(roomId, 'm.room.member', member, alice.userId);
    const { rooms } = await bob.sync();
    expect(of(rooms.join[roomId].ephemeral.events, 'm.typing')?.content).toEqual({ user_ids: [alice.userId] });
    await alice.ok('PUT', `${roomPath(roomId)}/typing/${alice.userId}`, { typing: false });
  });

  it('ends with nothing when the time is up, and goes on from there', async () => {
    const { next_batch: since } = await bob.sync();
    const answer = await bob.sync({ since, timeout: 30 });
    expect(answer).not.toHaveProperty('rooms');
    expect(answer.next_batch).toMatch(/^s\d+_[0-9a-f.]+$/);
  });

  it('loses nothing of what many write at once', async () => {
    const roomId = await sharedRoom();
    let { next_batch: since } = await bob.sync();
    const expected = Array.from({ length: 60 }, (_, i) => `message ${i}`);
    const sending = Promise.all(expected.map((body) => alice.send(roomId, body)));
    const seen: unknown[] = [];
    while (seen.length < expected.length) {
      const answer = await bob.sync({ since, timeout: 10_000, filter: { room: { timeline: { limit: 100 } } } });
      since = answer.next_batch;
      const room = answer.rooms?.join[roomId];
      expect(room, `after ${seen.length}`).toBeDefined();
      seen.push(...room.timeline.events.map((event: Event) => event.content['body']));
    }
    await sending;
    expect(seen.toSorted()).toEqual(expected.toSorted());
  });

  it('goes on waiting after news that the filter keeps out, without looking again and again', async () => {
    const roomId = await sharedRoom();
    const { next_batch: since } = await bob.sync();
    const open = vi.spyOn(app.get(SyncContexts), 'open');
    const waiting = bob.sync({ since, timeout: 400, filter: { room: { rooms: [] } } });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await alice.send(roomId, 'kept out');
    expect(await waiting).not.toHaveProperty('rooms');
    expect(open.mock.calls.length).toBeLessThanOrEqual(10);
    open.mockRestore();
  });

  it('does not wake who has nothing to do with the room', async () => {
    const roomId = await alice.createRoom();
    const { next_batch: since } = await bob.sync();
    const waiting = bob.sync({ since, timeout: 300 });
    await alice.send(roomId, 'to myself');
    expect(await waiting).not.toHaveProperty('rooms');
  });
});

describe('receipts, typing and account data', () => {
  it('tell the private receipt to its owner only', async () => {
    const roomId = await sharedRoom();
    const eventId = await alice.send(roomId, 'read me');
    const [{ next_batch: mine }, { next_batch: theirs }] = await Promise.all([bob.sync(), alice.sync()]);
    await bob.ok('POST', `${roomPath(roomId)}/receipt/m.read.private/${encodeURIComponent(eventId)}`, {});
    const { ephemeral } = (await bob.sync({ since: mine })).rooms.join[roomId];
    expect(of(ephemeral.events, 'm.receipt')?.content).toMatchObject({
      [eventId]: { 'm.read.private': { [bob.userId]: {} } },
    });
    expect(await alice.sync({ since: theirs })).not.toHaveProperty('rooms');
  });

  it('never move a receipt backwards', async () => {
    const roomId = await sharedRoom();
    const [first, second] = [await alice.send(roomId, '1'), await alice.send(roomId, '2')];
    const read = (eventId: string): Promise<unknown> =>
      bob.ok('POST', `${roomPath(roomId)}/receipt/m.read/${encodeURIComponent(eventId)}`, {});
    await read(second);
    await read(first);
    const { ephemeral } = (await alice.sync()).rooms.join[roomId];
    expect(Object.keys(of(ephemeral.events, 'm.receipt')?.content ?? {})).toEqual([second]);
  });

  it('keep the receipts of threads apart', async () => {
    const roomId = await sharedRoom();
    const root = await alice.send(roomId, 'root');
    const reply = await alice.send(roomId, 'reply', { 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
    const path = `${roomPath(roomId)}/receipt/m.read`;
    await bob.ok('POST', `${path}/${encodeURIComponent(reply)}`, { thread_id: root });
    await bob.ok('POST', `${path}/${encodeURIComponent(root)}`, { thread_id: 'main' });
    await bob.ok('POST', `${path}/${encodeURIComponent(reply)}`, {});
    const { ephemeral } = (await alice.sync()).rooms.join[roomId];
    const receipts = ephemeral.events.filter((event: Event) => event.type === 'm.receipt');
    const threads = receipts.flatMap((event: { content: Record<string, Record<string, Record<string, object>>> }) =>
      Object.values(event.content).map((types) => (types['m.read']![bob.userId] as { thread_id?: string }).thread_id),
    );
    expect(threads.toSorted()).toEqual([root, 'main', undefined].toSorted());

    for (const thread of [root, 'main', '', 5]) {
      const target = thread === root ? await alice.send(roomId, 'elsewhere') : reply;
      const answer = await bob.call('POST', `${path}/${encodeURIComponent(target)}`, { thread_id: thread });
      expect(answer, String(thread)).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
    }
  });

  it('keep the fully read marker as account data of the room, and refuse marks on events of other rooms', async () => {
    const [roomId, other] = [await sharedRoom(), await sharedRoom()];
    const eventId = await alice.send(roomId, 'read me');
    const { next_batch: since } = await bob.sync();
    await bob.ok('POST', `${roomPath(roomId)}/read_markers`, { 'm.fully_read': eventId, 'm.read': eventId });
    const room = (await bob.sync({ since })).rooms.join[roomId];
    expect(of(room.account_data.events, 'm.fully_read')?.content).toEqual({ event_id: eventId });
    expect(of(room.ephemeral.events, 'm.receipt')?.content).toHaveProperty([eventId]);
    const wrong = await bob.call('POST', `${roomPath(other)}/read_markers`, { 'm.fully_read': eventId });
    expect(wrong.status).toBe(404);
  });

  it('let only members type and read, and only for themselves', async () => {
    const roomId = await alice.createRoom();
    const typing = (user: string): string => `${roomPath(roomId)}/typing/${user}`;
    expect((await bob.call('PUT', typing(bob.userId), { typing: true })).status).toBe(403);
    expect((await alice.call('PUT', typing(bob.userId), { typing: true })).status).toBe(403);
    expect((await alice.call('PUT', typing(alice.userId), { typing: 'yes' })).status).toBe(400);
    const eventId = encodeURIComponent(await alice.send(roomId, 'private'));
    expect((await bob.call('POST', `${roomPath(roomId)}/receipt/m.read/${eventId}`, {})).status).toBe(403);
  });

  it('come with the push rules and tags as account data, each change once', async () => {
    const roomId = await sharedRoom();
    const first = await alice.sync();
    expect(of(first.account_data.events, 'm.push_rules')).toBeDefined();
    await alice.ok('PUT', `/user/${alice.userId}/rooms/${encodeURIComponent(roomId)}/tags/m.favourite`, { order: 0.5 });
    await alice.ok('PUT', '/pushrules/global/sender/@pest:example.org', { actions: [] });
    const next = await alice.sync({ since: first.next_batch });
    expect(of(next.rooms.join[roomId].account_data.events, 'm.tag')?.content).toEqual({
      tags: { 'm.favourite': { order: 0.5 } },
    });
    expect(next.account_data.events.map((event: Event) => event.type)).toEqual(['m.push_rules']);
    expect((await alice.sync({ since: next.next_batch })).account_data.events).toEqual([]);
  });
});

describe('tokens', () => {
  it('are refused where they are none', async () => {
    for (const since of ['x', 's', 't1_1', 's1_x']) {
      const answer = await alice.call('GET', `/sync?${queryOf({ since })}`);
      expect(answer, since).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
    }
  });

  it('of a log that was put back to an earlier moment are of now: what comes next is told', async () => {
    const room = await sharedRoom();
    for (const since of ['s99999999999999_0', `s${Number.MAX_SAFE_INTEGER}_0`]) {
      const now = await bob.sync({ since });
      const path = `/events?from=${since}&timeout=20000`;
      const over = new AbortController();
      const told = Promise.all([bob.sync({ since, timeout: 20_000 }), bob.ok('GET', path)]).finally(() => over.abort());
      // Nobody says when they have begun to wait.
      while (!over.signal.aborted) await alice.send(room, 'after');
      const [news, stream] = await told;
      expect(news.rooms.join[room].timeline.events.at(-1)).toMatchObject({ content: { body: 'after' } });
      expect(stream.chunk.at(-1)).toMatchObject({ content: { body: 'after' } });
      const next = await bob.sync({ since: now.next_batch });
      expect(next.rooms.join[room].timeline.events.at(-1)).toMatchObject({ content: { body: 'after' } });
    }
  });

  it('outlive a restart: what came before it and behind the token is told, what is old is not', async () => {
    const [quiet, busy] = [await sharedRoom(), await sharedRoom()];
    const { next_batch: since } = await bob.sync();
    const eventId = await alice.send(busy, 'before the restart');
    await alice.ok('POST', `${roomPath(quiet)}/receipt/m.read/${encodeURIComponent(await lastEvent(quiet))}`, {});
    await app.restart();
    const next = await bob.sync({ since });
    expect(next.rooms.join[busy].timeline.events.map((event: { event_id: string }) => event.event_id)).toEqual([
      eventId,
    ]);
    expect(next.rooms.join[busy].timeline.limited).toBe(false);
    expect(of(next.rooms.join[quiet].ephemeral.events, 'm.receipt')).toBeDefined();
    expect(Object.keys(next.rooms.join).toSorted()).toEqual([quiet, busy].toSorted());
    expect(await bob.sync({ since: next.next_batch })).not.toHaveProperty('rooms');
  });
});

describe('typing and a restart', () => {
  it('tells clients with a token from before that nobody types any more, and what is true now, in no other room', async () => {
    const [ended, goesOn, quiet] = [await sharedRoom(), await sharedRoom(), await sharedRoom()];
    const type = (roomId: string): Promise<unknown> =>
      alice.ok('PUT', `${roomPath(roomId)}/typing/${alice.userId}`, { typing: true, timeout: 60_000 });
    await type(ended);
    await type(goesOn);
    const { next_batch: since, rooms } = await bob.sync();
    expect(of(rooms.join[ended].ephemeral.events, 'm.typing')).toBeDefined();
    await app.restart();
    await type(goesOn);
    for (let i = 0; i < 2; i++) {
      const next = await bob.sync({ since, timeout: 20_000 });
      expect(of(next.rooms.join[ended].ephemeral.events, 'm.typing')?.content).toEqual({ user_ids: [] });
      expect(of(next.rooms.join[goesOn].ephemeral.events, 'm.typing')?.content).toEqual({ user_ids: [alice.userId] });
      expect(next.rooms.join).not.toHaveProperty([quiet]);
      expect(await bob.sync({ since: next.next_batch })).not.toHaveProperty('rooms');
    }
    const { body } = await bob.v1('GET', `/events?from=${since}&timeout=0`);
    const told = body.chunk.filter((event: Event) => event.type === 'm.typing');
    expect(told.map((event: { room_id: string }) => event.room_id).toSorted()).toEqual([ended, goesOn].toSorted());
  });
});

async function lastEvent(roomId: string): Promise<string> {
  const page = await alice.ok('GET', `${roomPath(roomId)}/messages?dir=b&limit=1`);
  return page.chunk[0].event_id;
}

describe('when the server drains', () => {
  it('long polls end with an empty answer', async () => {
    const { next_batch: since } = await bob.sync();
    const [waiting, events] = [bob.sync({ since, timeout: 60_000 }), bob.v1('GET', '/events?from=END&timeout=60000')];
    await new Promise((resolve) => setTimeout(resolve, 50));
    app.shutDown();
    expect(await waiting).not.toHaveProperty('rooms');
    expect((await events).body.chunk).toEqual([]);
  });
});
