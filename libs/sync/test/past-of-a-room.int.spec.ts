import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryOf, roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/** A room as it was: who was in it, who may know, and what is told with the events of that time. */

interface Event {
  readonly type: string;
  readonly state_key?: string;
  readonly content: Readonly<Record<string, unknown>>;
}

let app: SyncApp;
let alice: SyncUser;
let count = 0;

beforeAll(async () => {
  app = await SyncApp.start();
  alice = await app.register('alice');
});
afterAll(() => app.close());

const visibility = (value: string): object => ({
  initial_state: [{ type: 'm.room.history_visibility', state_key: '', content: { history_visibility: value } }],
});
const someone = (): Promise<SyncUser> => app.register(`user${count++}`);

/** Members by their names without server, each with the membership. */
async function members(who: SyncUser, roomId: string, query: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const { chunk } = await who.ok('GET', `${roomPath(roomId)}/members?${queryOf(query)}`);
  return (chunk as Event[]).map(({ state_key: key, content }) => `${key} ${String(content['membership'])}`).toSorted();
}

const prevBatch = async (who: SyncUser, roomId: string, limit: number): Promise<string> =>
  (await who.sync({ filter: { room: { timeline: { limit } } } })).rooms.join[roomId].timeline.prev_batch;

describe('the members of then', () => {
  it('are told to who was there or may see the history, and to others as of where their own stay lies', async () => {
    for (const [value, seesBefore] of [
      ['shared', true],
      ['joined', false],
      ['invited', false],
    ] as const) {
      // prettier-ignore
      const roomId = await alice.createRoom({ preset: 'public_chat', ...visibility(value) });
      const [bob, carol, dave] = [await someone(), await someone(), await someone()];
      await carol.join(roomId);
      const before = (await alice.sync()).next_batch;
      await carol.leave(roomId);
      await bob.join(roomId);
      const during = (await alice.sync()).next_batch;
      await bob.leave(roomId);
      await dave.join(roomId);
      const gap = (await alice.sync()).next_batch;
      await dave.leave(roomId);
      const [a, b, c, d] = [alice, bob, carol, dave].map(({ userId }) => userId);
      const own = [`${a} join`, `${b} join`, `${c} leave`].toSorted();
      const ended = [`${a} join`, `${b} leave`, `${c} leave`].toSorted();
      const first = seesBefore ? [`${a} join`, `${c} join`].toSorted() : own;
      expect(await members(bob, roomId, { at: before }), value).toEqual(first);
      expect(await members(bob, roomId, { at: during }), value).toEqual(own);
      expect(await members(bob, roomId, { at: gap }), value).toEqual(ended);
      expect(await members(bob, roomId), value).toEqual(ended);
      await bob.join(roomId);
      const now = [`${a} join`, `${b} join`, `${c} leave`, `${d} leave`].toSorted();
      expect(await members(bob, roomId), value).toEqual(now);
      const between = seesBefore ? [`${a} join`, `${b} leave`, `${c} leave`, `${d} join`].toSorted() : ended;
      expect(await members(bob, roomId, { at: gap }), value).toEqual(between);
    }
  });

  it('of a room that the world may read now are not told to strangers as of before that', async () => {
    const roomId = await alice.createRoom();
    const closed = (await alice.sync()).next_batch;
    await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'world_readable' });
    const bob = await someone();
    const open = (await alice.sync()).next_batch;
    expect(await members(bob, roomId, { at: open })).toEqual([`${alice.userId} join`]);
    const { status, body } = await bob.call('GET', `${roomPath(roomId)}/members?at=${closed}`);
    expect([status, body.errcode]).toEqual([403, 'M_FORBIDDEN']);
  });

  it('are never none at the beginning of a timeline that holds the whole room', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const at = await prevBatch(alice, roomId, 100);
    expect(await members(alice, roomId, { at })).toEqual([`${alice.userId} join`]);
    const bob = await someone();
    await bob.join(roomId);
    expect(await members(alice, roomId, { at })).toEqual([`${alice.userId} join`]);
    const page = await alice.ok('GET', `${roomPath(roomId)}/messages?${queryOf({ dir: 'b', from: at })}`);
    expect([page.chunk, page.start, page.end]).toEqual([[], at, undefined]);
    const forwards = await alice.ok('GET', `${roomPath(roomId)}/messages?${queryOf({ dir: 'f', from: at, limit: 1 })}`);
    expect(forwards.chunk[0].type).toBe('m.room.create');
  });
});

describe('members that are loaded lazily', () => {
  /** The names in the member events that come with a page. */
  const names = async (who: SyncUser, roomId: string, query: object): Promise<unknown[]> => {
    const filter = { lazy_load_members: true, types: ['m.room.message'] };
    const { chunk, state } = await who.ok('GET', `${roomPath(roomId)}/messages?${queryOf({ filter, ...query })}`);
    expect(chunk.length).toBeGreaterThan(0);
    return (state as Event[]).map(({ content }) => content['displayname']);
  };

  it('are those of the time of the page, also where they have changed often since', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const bob = await someone();
    await bob.join(roomId);
    const join = async (name: string): Promise<unknown> =>
      bob.setState(roomId, 'm.room.member', { membership: 'join', displayname: name }, bob.userId);
    await join('first');
    await bob.send(roomId, 'hello');
    for (let i = 0; i < 12; i++) {
      if (i === 6) await bob.send(roomId, 'hello again');
      await join(`name ${i}`);
    }
    expect(await names(alice, roomId, { dir: 'f', limit: 1 })).toEqual(['first']);
    expect(await names(alice, roomId, { dir: 'b', limit: 1 })).toEqual(['name 5']);
  });

  it('are not those of today for who has left', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const [bob, carol] = [await someone(), await someone()];
    await bob.join(roomId);
    await carol.join(roomId);
    await carol.setState(roomId, 'm.room.member', { membership: 'join', displayname: 'then' }, carol.userId);
    await carol.send(roomId, 'hello');
    await bob.leave(roomId);
    await carol.setState(roomId, 'm.room.member', { membership: 'join', displayname: 'NOW' }, carol.userId);
    expect(await names(bob, roomId, { dir: 'b' })).toEqual(['then']);
  });
});

describe('who is invited', () => {
  const said = async (who: SyncUser, path: string): Promise<string[]> =>
    ((await who.ok('GET', path)).chunk as Event[]).flatMap(({ content }) => content['body'] ?? []) as string[];

  it('reads what is said from then on where history is visible to the invited, and not the room as a whole', async () => {
    const roomId = await alice.createRoom(visibility('invited'));
    await alice.send(roomId, 'before');
    const bob = await someone();
    await alice.ok('POST', `${roomPath(roomId)}/invite`, { user_id: bob.userId });
    const eventId = await alice.send(roomId, 'since');
    const path = roomPath(roomId);
    expect(await said(bob, `${path}/messages?dir=b`)).toEqual(['since']);
    expect((await bob.v1('GET', `${path}/messages`)).status).toBe(200);
    expect((await bob.ok('GET', `${path}/event/${eventId}`)).content.body).toBe('since');
    for (const closed of ['state', 'state/m.room.create', 'members', 'joined_members', 'initialSync']) {
      expect((await bob.call('GET', `${path}/${closed}`)).status, closed).toBe(403);
    }
    await bob.leave(roomId);
    const late = await alice.send(roomId, 'after');
    expect((await bob.call('GET', `${path}/messages?dir=b`)).status).toBe(403);
    expect((await bob.call('GET', `${path}/event/${late}`)).status).toBe(404);
  });

  it('reads nothing where it is not', async () => {
    for (const value of ['shared', 'joined']) {
      const roomId = await alice.createRoom(visibility(value));
      const bob = await someone();
      await alice.ok('POST', `${roomPath(roomId)}/invite`, { user_id: bob.userId });
      const eventId = await alice.send(roomId, 'since');
      expect((await bob.call('GET', `${roomPath(roomId)}/messages?dir=b`)).status).toBe(403);
      expect((await bob.call('GET', `${roomPath(roomId)}/context/${eventId}`)).status).toBe(403);
      expect((await bob.call('GET', `${roomPath(roomId)}/event/${eventId}`)).status).toBe(404);
    }
  });

  it('is told of the room as it was then, also later', async () => {
    const roomId = await alice.createRoom({ name: 'then' });
    const bob = await someone();
    await alice.ok('POST', `${roomPath(roomId)}/invite`, { user_id: bob.userId });
    await alice.setState(roomId, 'm.room.name', { name: 'SECRET' });
    await alice.setState(roomId, 'm.room.topic', { topic: 'SECRET' });
    const { rooms } = await bob.sync();
    const told = JSON.stringify(rooms.invite[roomId]);
    expect(told).toContain('then');
    expect(told).not.toContain('SECRET');
  });
});

describe('who was in a room and is invited back', () => {
  it('is told the newest first where the history is for the invited, as who is invited for the first time', async () => {
    const [bob, carol] = [await someone(), await someone()];
    const roomId = await alice.createRoom({ preset: 'private_chat', ...visibility('invited') });
    const invite = (who: SyncUser): Promise<unknown> =>
      alice.ok('POST', `${roomPath(roomId)}/invite`, { user_id: who.userId });
    await invite(bob);
    await bob.join(roomId);
    await bob.leave(roomId);
    for (const who of [bob, carol]) await invite(who);
    const said = await alice.send(roomId, 'come back');
    for (const who of [bob, carol]) {
      const { chunk } = await who.ok('GET', `${roomPath(roomId)}/messages?dir=b&limit=1`);
      expect(chunk.map(({ event_id: id }: { event_id: string }) => id)).toEqual([said]);
    }
  });
});

describe('typing and receipts', () => {
  it('mark no event of before the stay as read, nor tell that there is one and what it relates to', async () => {
    const bob = await someone();
    const roomId = await alice.createRoom({ preset: 'public_chat', ...visibility('joined') });
    const root = await alice.send(roomId, 'root');
    const child = await alice.send(roomId, 'child', { 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
    await bob.join(roomId);
    const receipt = (id: string): string => `${roomPath(roomId)}/receipt/m.read/${encodeURIComponent(id)}`;
    const answers = [];
    for (const id of [root, child, '$nothing']) {
      for (const body of [{}, { thread_id: 'main' }, { thread_id: root }]) {
        answers.push(await bob.call('POST', receipt(id), body));
      }
      answers.push(await bob.call('POST', `${roomPath(roomId)}/read_markers`, { 'm.fully_read': id }));
    }
    const told = answers.map(({ status, body }) => [status, body.errcode, body.error?.replace(/\$.*/, '')]);
    expect(told).toEqual(told.map(() => [404, 'M_NOT_FOUND', 'No such event in this room: ']));
    expect((await alice.call('POST', receipt(child), {})).status).toBe(200);
  });

  it('are told to nobody who has left or is banned, by no door', async () => {
    const [bob, carol] = [await someone(), await someone()];
    for (const value of ['shared', 'world_readable']) {
      const roomId = await alice.createRoom({ preset: 'public_chat', ...visibility(value) });
      const eventId = await alice.send(roomId, 'hi');
      await bob.join(roomId);
      await carol.join(roomId);
      await bob.leave(roomId);
      await alice.ok('POST', `${roomPath(roomId)}/ban`, { user_id: carol.userId });
      for (const who of [bob, carol]) {
        const from = (await who.sync()).next_batch;
        await alice.ok('PUT', `${roomPath(roomId)}/typing/${alice.userId}`, { typing: true, timeout: 60_000 });
        await alice.ok('POST', `${roomPath(roomId)}/receipt/m.read/${eventId}`, {});
        const answers = [
          await who.sync({ since: from }),
          await who.sync({ filter: { room: { include_leave: true } } }),
          await who.ok('GET', `/events?${queryOf({ from, room_id: roomId })}`),
          await who.ok('GET', `/events?${queryOf({ from })}`),
          (await who.v1('GET', `/events?${queryOf({ from, room_id: roomId })}`)).body,
          (await who.v1('GET', `/events?${queryOf({ from })}`)).body,
          await who.ok('GET', `${roomPath(roomId)}/initialSync`),
          await who.ok('GET', '/initialSync?archived=true'),
        ];
        for (const [i, answer] of answers.entries()) {
          expect(JSON.stringify(answer), `${value} ${i}`).not.toMatch(/m\.typing|m\.receipt/);
        }
        const path = `${roomPath(roomId)}/typing/${who.userId}`;
        expect((await who.call('PUT', path, { typing: true })).status).toBe(403);
        expect((await who.call('POST', `${roomPath(roomId)}/receipt/m.read/${eventId}`, {})).status).toBe(403);
        await alice.ok('PUT', `${roomPath(roomId)}/typing/${alice.userId}`, { typing: false });
      }
    }
  });
});

describe('state events that a filter keeps out of the timeline', () => {
  it('are told beside it, in an initial sync, after a join and in between', async () => {
    const bob = await someone();
    const timeline = { types: ['m.room.message'], limit: 2 };
    for (const params of [{}, { room: { state: { lazy_load_members: true } } }]) {
      const filter = { room: { ...(params as { room?: object }).room, timeline } };
      const roomId = await alice.createRoom({ preset: 'public_chat' });
      const { next_batch: since } = await bob.sync({ filter });
      await alice.send(roomId, 'one');
      await alice.setState(roomId, 'm.room.topic', { topic: 'hidden' });
      await alice.send(roomId, 'two');
      await bob.join(roomId);
      const topicOf = (answer: { rooms: { join: Record<string, { state: { events: Event[] } }> } }): unknown =>
        answer.rooms.join[roomId]?.state.events.findLast(({ type }) => type === 'm.room.topic')?.content;
      const joined = await bob.sync({ filter, since });
      expect(topicOf(joined)).toEqual({ topic: 'hidden' });
      expect(topicOf(await bob.sync({ filter }))).toEqual({ topic: 'hidden' });
      await alice.send(roomId, 'three');
      await alice.setState(roomId, 'm.room.topic', { topic: 'later' });
      await alice.send(roomId, 'four');
      expect(topicOf(await bob.sync({ filter, since: joined.next_batch }))).toEqual({ topic: 'later' });
      expect(topicOf(await bob.sync({ filter }))).toEqual({ topic: 'later' });
    }
  });

  it('are told once, in their place in the timeline where it has one, where history hides what is around them', async () => {
    const bob = await someone();
    const roomId = await alice.createRoom({ preset: 'public_chat', name: 'now', ...visibility('joined') });
    await alice.send(roomId, 'before bob');
    const { next_batch: since } = await bob.sync();
    await bob.join(roomId);
    for (const answer of [await bob.sync({ since }), await bob.sync()]) {
      const { state, timeline } = answer.rooms.join[roomId];
      const told: Event[] = [...state.events, ...timeline.events];
      expect(told.filter(({ type }) => type === 'm.room.name').map(({ content }) => content)).toEqual([
        { name: 'now' },
      ]);
      expect(JSON.stringify(timeline.events)).not.toContain('before bob');
    }
  });

  it('do not bring along what they have replaced where history hides it', async () => {
    const bob = await someone();
    const roomId = await alice.createRoom({ preset: 'public_chat', topic: 'a secret', ...visibility('joined') });
    await alice.setState(roomId, 'm.room.topic', { topic: 'for all' });
    await bob.join(roomId);
    for (let limit = 1; limit <= 4; limit++) {
      const answer = await bob.sync({ filter: { room: { timeline: { limit } } } });
      const { state, timeline } = answer.rooms.join[roomId];
      expect(JSON.stringify([state, timeline])).not.toContain('a secret');
      expect(
        [...state.events, ...timeline.events].findLast(({ type }: Event) => type === 'm.room.topic')?.content,
      ).toEqual({
        topic: 'for all',
      });
    }
  });

  it('nor what was replaced beside them before there was anything for the reader to see', async () => {
    const [bob, carol] = [await someone(), await someone()];
    const roomId = await alice.createRoom({ preset: 'public_chat', ...visibility('joined') });
    const path = roomPath(roomId);
    await alice.ok('POST', `${path}/ban`, { user_id: carol.userId, reason: 'a secret' });
    await alice.setState(roomId, 'm.room.topic', { topic: 'for all' });
    await alice.ok('POST', `${path}/unban`, { user_id: carol.userId });
    await bob.join(roomId);
    await alice.ok('POST', `${path}/invite`, { user_id: carol.userId });
    for (let limit = 1; limit <= 4; limit++) {
      const answer = await bob.sync({ filter: { room: { timeline: { limit } } } });
      const { state, timeline } = answer.rooms.join[roomId];
      const told: Event[] = [...state.events, ...timeline.events];
      expect(JSON.stringify(told), `${limit}`).not.toContain('a secret');
      const ofCarol = told.findLast(({ state_key: key }) => key === carol.userId);
      expect(ofCarol?.content['membership']).toBe('invite');
    }
  });
});

describe('what somebody said who has erased themself', () => {
  it('is redacted for those who come later, by every door, and not for those who were there', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat', ...visibility('shared') });
    const [bob, carol, dave, eve] = [await someone(), await someone(), await someone(), await someone()];
    await bob.join(roomId);
    await bob.setState(roomId, 'm.room.member', { membership: 'join', displayname: 'GONE' }, bob.userId);
    await dave.join(roomId);
    const eventId = await bob.send(roomId, 'GONE');
    await bob.send(roomId, 'GONE', { 'm.relates_to': { rel_type: 'm.thread', event_id: eventId } });
    await carol.join(roomId);
    await dave.leave(roomId);
    await bob.close({ erase: true });
    await eve.join(roomId);
    await dave.join(roomId);
    const path = roomPath(roomId);
    const ways = (who: SyncUser): Promise<unknown>[] => [
      who.ok('GET', `${path}/event/${eventId}`),
      who.ok('GET', `/events/${eventId}`),
      who.ok('GET', `${path}/context/${eventId}`),
      who.ok('GET', `${path}/messages?dir=b&limit=50`),
      who.ok('GET', `/_matrix/client/v1${path}/relations/${eventId}`),
      who.ok('GET', `${path}/initialSync?limit=50`),
      who.sync({ filter: { room: { timeline: { limit: 50 } } } }),
      who.v1('GET', `${path}/messages?from=END&to=START`).then(({ body }) => body),
      who.v1('GET', '/events?from=START&to=END').then(({ body }) => body),
    ];
    for (const [i, way] of ways(eve).entries()) {
      const text = JSON.stringify(await way);
      expect(text, `eve ${i}`).not.toContain('GONE');
      // What relates to the event is there, but a redacted copy says no more to what.
      if (i !== 4) expect(text, `eve ${i}`).toContain(eventId);
    }
    // Alice was there; Carol came before the erasure and had the history; Dave heard it, and has come back since.
    for (const who of [alice, carol, dave]) {
      for (const [i, way] of ways(who).entries()) {
        expect(JSON.stringify(await way), `${who.userId} ${i}`).toContain('GONE');
      }
    }
    // What is the room's stays: only the name and the words of who is gone are withheld.
    const { content } = await eve.ok('GET', `${path}/event/${eventId}`);
    expect(content).toEqual({});
  });

  it('is told by no filter and no relation either', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat', ...visibility('shared') });
    const [bob, eve] = [await someone(), await someone()];
    await bob.join(roomId);
    const root = await alice.send(roomId, 'root');
    const relates = { 'm.relates_to': { rel_type: 'm.thread', event_id: root } };
    const eventId = await bob.send(roomId, 'GONE', { url: 'mxc://a.example/GONE' });
    const inThread = await bob.send(roomId, 'GONE', relates);
    await bob.close({ erase: true });
    await eve.join(roomId);
    const path = roomPath(roomId);
    const room = (timeline: object): object => ({ room: { timeline: { limit: 50, ...timeline } } });
    const ways = (who: SyncUser, contains_url: boolean): Promise<unknown>[] => [
      who.ok('GET', `${path}/messages?${queryOf({ dir: 'b', limit: 50, filter: { contains_url } })}`),
      who.ok('GET', `${path}/context/${root}?${queryOf({ limit: 50, filter: { contains_url } })}`),
      who.sync({ filter: room({ contains_url }) }),
      who.v1('GET', `/initialSync?${queryOf({ limit: 50, filter: room({ contains_url }) })}`).then(({ body }) => body),
      who
        .v1('GET', `/events?${queryOf({ from: 'START', to: 'END', limit: 50, filter: room({ contains_url }) })}`)
        .then(({ body }) => body),
    ];
    for (const [who, hasUrl] of [
      [eve, false],
      [alice, true],
    ] as const) {
      for (const wanted of [true, false]) {
        for (const [i, way] of ways(who, wanted).entries()) {
          const isThere = JSON.stringify(await way).includes(`"event_id":"${eventId}"`);
          expect(isThere, `${who.userId} ${wanted} ${i}`).toBe(wanted === hasUrl);
        }
      }
      const relations = await who.ok('GET', `/_matrix/client/v1${path}/relations/${root}/m.thread`);
      expect(relations.chunk.map((event: { event_id: string }) => event.event_id)).toEqual(hasUrl ? [inThread] : []);
      const { unsigned } = await who.ok('GET', `${path}/event/${root}`);
      expect(unsigned['m.relations']?.['m.thread']?.count).toBe(hasUrl ? 1 : undefined);
      expect((await who.ok('GET', `/_matrix/client/v1${path}/threads`)).chunk).toHaveLength(hasUrl ? 1 : 0);
    }
  });

  it('leads to nothing, and stands in no thread, for those who come later', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat', ...visibility('shared') });
    const [bob, eve] = [await someone(), await someone()];
    await bob.join(roomId);
    const relatesTo = (event_id: string, rel_type: string): object => ({ 'm.relates_to': { rel_type, event_id } });
    const root = await alice.send(roomId, 'root');
    const gone = await bob.send(roomId, 'GONE', relatesTo(root, 'm.thread'));
    const answer = await alice.send(roomId, 'answer', relatesTo(gone, 'm.reference'));
    await bob.close({ erase: true });
    await eve.join(roomId);
    const path = roomPath(roomId);
    for (const [who, knows] of [
      [alice, true],
      [eve, false],
    ] as const) {
      const { chunk } = await who.ok('GET', `/_matrix/client/v1${path}/relations/${root}?recurse=true`);
      expect(chunk.map((event: { event_id: string }) => event.event_id)).toEqual(knows ? [answer, gone] : []);
      for (const [eventId, type] of [
        [gone, 'm.read'],
        [answer, 'm.read.private'],
      ] as const) {
        const receipt = async (thread_id: string): Promise<number> =>
          (await who.call('POST', `${path}/receipt/${type}/${eventId}`, { thread_id })).status;
        expect([await receipt(root), await receipt('main')]).toEqual(knows ? [200, 400] : [400, 200]);
      }
      const body = { msgtype: 'm.text', body: 'begins a thread', ...relatesTo(gone, 'm.thread') };
      const sent = await who.call('PUT', `${path}/send/m.room.message/thread`, body);
      expect(sent.status).toBe(knows ? 400 : 200);
    }
  });

  it('is not redacted where they only closed their account', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const [bob, eve] = [await someone(), await someone()];
    await bob.join(roomId);
    const eventId = await bob.send(roomId, 'stays');
    await bob.close();
    await eve.join(roomId);
    expect((await eve.ok('GET', `${roomPath(roomId)}/event/${eventId}`)).content.body).toBe('stays');
  });
});
