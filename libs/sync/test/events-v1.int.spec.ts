import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roomPath, type SyncAnswer, SyncApp, type SyncUser } from '#testing/sync-app';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, bob] = await Promise.all([app.register('alice'), app.register('bob')]);
});
afterAll(() => app.close());

type Event = { type: string; room_id?: string; user_id?: string; content: Record<string, unknown> };
const bodies = (chunk: Event[]): unknown[] => chunk.map(({ content }) => content['body']).filter(Boolean);

async function v1(
  user: SyncUser,
  method: 'GET' | 'POST' | 'PUT',
  path: string,
  body?: unknown,
): Promise<SyncAnswer['body']> {
  const answer = await user.v1(method, path, body);
  if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

async function sharedRoom(): Promise<string> {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  return roomId;
}

describe('the event stream of API v1', () => {
  it('is followed from the end of initialSync, each event once and in the form of then', async () => {
    const roomId = await sharedRoom();
    let { end: from } = await v1(bob, 'GET', '/initialSync');
    const waiting = v1(bob, 'GET', `/events?from=${from}&timeout=20000`);
    await alice.send(roomId, 'hello');
    const answer = await waiting;
    expect(answer.start).toBe(from);
    expect(answer.chunk).toHaveLength(1);
    expect(answer.chunk[0]).toMatchObject({
      type: 'm.room.message',
      room_id: roomId,
      user_id: alice.userId,
      content: { body: 'hello' },
      age: expect.any(Number),
    });
    expect(answer.chunk[0]).not.toHaveProperty('sender');
    expect(answer.chunk[0]).not.toHaveProperty('unsigned');
    from = answer.end;
    expect(await v1(bob, 'GET', `/events?from=${from}&timeout=10`)).toMatchObject({ chunk: [], start: from });
  });

  it('goes backwards from END to START, the newest first, and on by its start', async () => {
    const [one, two] = [await sharedRoom(), await sharedRoom()];
    for (let i = 1; i <= 5; i++) await alice.send(i % 2 === 0 ? one : two, `E${i}`);
    const last = await v1(bob, 'GET', '/events?from=END&to=START&limit=3');
    expect(bodies(last.chunk)).toEqual(['E5', 'E4', 'E3']);
    const earlier = await v1(bob, 'GET', `/events?from=${last.start}&to=START&limit=2`);
    expect(bodies(earlier.chunk)).toEqual(['E2', 'E1']);
    const again = await v1(bob, 'GET', `/events?from=${earlier.start}&to=${last.end}`);
    expect(bodies(again.chunk)).toEqual(['E1', 'E2', 'E3', 'E4', 'E5']);
    expect(await v1(bob, 'GET', `/events?from=${last.end}&to=END`)).toMatchObject({ chunk: [] });
  });

  it('answers everything where nothing is asked, from the first event on', async () => {
    const user = await app.register(`reader${Date.now()}`);
    const roomId = await user.createRoom();
    await user.send(roomId, 'hello');
    const { chunk } = await v1(user, 'GET', '/events');
    expect(chunk[0].type).toBe('m.room.create');
    expect(bodies(chunk)).toEqual(['hello']);
  });

  it('catches up in pages without losing anything', async () => {
    const roomId = await sharedRoom();
    let { end: from } = await v1(bob, 'GET', '/initialSync');
    for (let i = 0; i < 7; i++) await alice.send(roomId, `message ${i}`);
    const seen: unknown[] = [];
    for (;;) {
      const { chunk, end } = await v1(bob, 'GET', `/events?from=${from}&limit=3`);
      if (chunk.length === 0) break;
      seen.push(...bodies(chunk));
      from = end;
    }
    expect(seen).toEqual(Array.from({ length: 7 }, (_, i) => `message ${i}`));
  });

  it('tells of typing, receipts, account data, invitations and leaving', async () => {
    const roomId = await sharedRoom();
    const eventId = encodeURIComponent(await alice.send(roomId, 'read me'));
    let { end: from } = await v1(bob, 'GET', '/initialSync');
    const next = async (): Promise<Event> => {
      const answer = await v1(bob, 'GET', `/events?from=${from}&timeout=20000`);
      from = answer.end;
      return answer.chunk[0];
    };
    await v1(alice, 'PUT', `${roomPath(roomId)}/typing/${alice.userId}`, { typing: true, timeout: 60_000 });
    expect(await next()).toEqual({ type: 'm.typing', room_id: roomId, content: { user_ids: [alice.userId] } });
    await alice.ok('POST', `${roomPath(roomId)}/receipt/m.read/${eventId}`, {});
    expect(await next()).toMatchObject({ type: 'm.receipt', room_id: roomId });
    await bob.ok('PUT', `/user/${bob.userId}/rooms/${encodeURIComponent(roomId)}/tags/u.work`, {});
    expect(await next()).toMatchObject({ type: 'm.tag', room_id: roomId, content: { tags: { 'u.work': {} } } });
    const invited = await alice.createRoom({ preset: 'private_chat', invite: [bob.userId] });
    expect(await next()).toMatchObject({ type: 'm.room.member', room_id: invited, content: { membership: 'invite' } });
    await alice.ok('POST', `${roomPath(roomId)}/kick`, { user_id: bob.userId });
    expect(await next()).toMatchObject({ type: 'm.room.member', room_id: roomId, content: { membership: 'leave' } });
    await alice.send(roomId, 'not for bob');
    expect((await v1(bob, 'GET', `/events?from=${from}&timeout=20`)).chunk).toEqual([]);
  });

  it('refuses bad pagination by its own name', async () => {
    for (const query of ['from=x', 'from=END&to=3', 'limit=-1', 'limit=x', 'dir=up']) {
      const answer = await bob.v1('GET', `/events?${query}`);
      expect(answer, query).toMatchObject({ status: 400, body: { errcode: 'M_BAD_PAGINATION' } });
    }
  });

  it('answers an event by its id to who may see it', async () => {
    const roomId = await alice.createRoom();
    const eventId = await alice.send(roomId, 'mine');
    const path = `/events/${encodeURIComponent(eventId)}`;
    expect(await v1(alice, 'GET', path)).toMatchObject({ event_id: eventId, user_id: alice.userId });
    expect((await bob.v1('GET', path)).status).toBe(404);
    expect((await alice.v1('GET', '/events/$nothing')).status).toBe(404);
    expect(await alice.ok('GET', path)).toMatchObject({ sender: alice.userId, unsigned: {} });
  });

  it('takes the token from the query, as it did then', async () => {
    const { status } = await app.call('GET', `/_matrix/client/api/v1/initialSync?access_token=${alice.token}`);
    expect(status).toBe(200);
    expect((await app.call('GET', '/_matrix/client/api/v1/initialSync')).body.errcode).toBe('M_MISSING_TOKEN');
  });
});

describe('initialSync', () => {
  it('has the rooms with their state and newest messages, and the inviter of those one is invited to', async () => {
    const user = await app.register(`fresh${Date.now()}`);
    const joined = await alice.createRoom({ visibility: 'public', name: 'Joined', preset: 'public_chat' });
    await user.join(joined);
    for (const body of ['1', '2', '3']) await alice.send(joined, body);
    const invited = await alice.createRoom({ invite: [user.userId] });
    const left = await alice.createRoom({ preset: 'public_chat' });
    await user.join(left);
    await user.leave(left);

    const answer = await v1(user, 'GET', '/initialSync?limit=2');
    expect(answer).toMatchObject({ end: expect.stringMatching(/^s\d+_[0-9a-f.]+$/), presence: [] });
    const rooms = Object.fromEntries(answer.rooms.map((room: { room_id: string }) => [room.room_id, room]));
    expect(Object.keys(rooms).toSorted()).toEqual([joined, invited].toSorted());
    expect(rooms[invited]).toMatchObject({ membership: 'invite', inviter: alice.userId });
    expect(rooms[joined]).toMatchObject({ membership: 'join', visibility: 'public' });
    expect(bodies(rooms[joined].messages.chunk)).toEqual(['2', '3']);
    const types = rooms[joined].state.map((event: Event) => event.type);
    expect(types).toEqual(expect.arrayContaining(['m.room.create', 'm.room.name', 'm.room.member']));
    expect(rooms[joined].state[0]).toHaveProperty('user_id');

    const { start, end } = rooms[joined].messages;
    const earlier = await v1(user, 'GET', `${roomPath(joined)}/messages?from=${start}&limit=1`);
    expect(bodies(earlier.chunk)).toEqual(['1']);
    expect((await v1(user, 'GET', `/events?from=${end}&timeout=10`)).chunk).toEqual([]);
    const archived = await user.ok('GET', '/initialSync?archived=true');
    expect(archived.rooms.map((room: { room_id: string }) => room.room_id)).toContain(left);
  });

  it('of one room is for its members, past and present, and for all where it is world readable', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    await alice.send(roomId, 'hello');
    expect((await bob.v1('GET', `${roomPath(roomId)}/initialSync`)).status).toBe(403);
    await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'world_readable' });
    await alice.send(roomId, 'open');
    const peeked = await bob.ok('GET', `${roomPath(roomId)}/initialSync`);
    expect(peeked).not.toHaveProperty('membership');
    expect(bodies(peeked.messages.chunk)).toContain('open');
    await bob.join(roomId);
    await bob.leave(roomId);
    await alice.send(roomId, 'behind his back');
    expect(await v1(bob, 'GET', `${roomPath(roomId)}/initialSync`)).toMatchObject({ membership: 'leave' });
  });
});

describe('peeking', () => {
  it('follows a world readable room without joining it, and no other', async () => {
    const open = await alice.createRoom({
      initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } }],
    });
    const closed = await alice.createRoom();
    const path = (roomId: string, from: string): string =>
      `/events?room_id=${encodeURIComponent(roomId)}&from=${from}&timeout=20000`;
    const { end } = await bob.ok('GET', '/events?timeout=0');
    expect((await bob.call('GET', path(closed, end))).status).toBe(403);
    const waiting = bob.ok('GET', path(open, end));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await alice.send(closed, 'secret');
    await alice.send(open, 'for all');
    const { chunk } = await waiting;
    expect(bodies(chunk)).toEqual(['for all']);
  });
});
