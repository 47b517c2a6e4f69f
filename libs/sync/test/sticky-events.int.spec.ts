import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { queryOf, roomPath, SyncApp, type SyncAnswer, type SyncUser } from '#testing/sync-app';

const ON = { ANNALS_STICKY_EVENTS: 'on' };
const DURATION = 'org.matrix.msc4354.sticky_duration_ms';
const HOUR = 3_600_000;

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let roomId: string;
let transactions = 0;

beforeEach(async () => {
  app = await SyncApp.start(undefined, ON);
  [alice, bob] = [await app.register('alice'), await app.register('bob')];
  roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
});
afterEach(async () => {
  vi.useRealTimers();
  await app.close();
});

const sendPath = (duration: number | string, room = roomId): string =>
  `${roomPath(room)}/send/m.room.message/sticky${transactions++}?${queryOf({ [DURATION]: duration })}`;

async function stick(user: SyncUser, body: string, duration = HOUR, room = roomId): Promise<string> {
  return (await user.ok('PUT', sendPath(duration, room), { msgtype: 'm.text', body })).event_id;
}

type Body = SyncAnswer['body'];
const bodiesOf = (events: Body): string[] => events.map(({ content }: Body) => content.body);

/** The bodies of what is told to be sticky of a room, and of its timeline. */
function told({ rooms }: Body, room = roomId): { sticky: string[]; timeline: string[] } {
  const { msc4354_sticky: sticky, timeline } = rooms?.join[room] ?? {};
  const messages = (timeline?.events ?? []).filter(({ type }: Body) => type === 'm.room.message');
  return { sticky: bodiesOf(sticky?.events ?? []), timeline: bodiesOf(messages) };
}

const stickyOf = async (user: SyncUser, params: Record<string, string | object> = {}): Promise<string[]> =>
  told(await user.sync(params)).sticky;

/** So many messages that nothing older is in a timeline. */
async function chatter(count = 11): Promise<void> {
  for (let n = 0; n < count; n++) await alice.send(roomId, `${n}`);
}

describe('a sticky event', () => {
  it('says for how long, in each of the ways to send one', async () => {
    const body = { msgtype: 'm.text', body: 'here' };
    const ids = [
      await stick(alice, 'here', 60_000),
      (await alice.ok('POST', `${roomPath(roomId)}/send/m.room.message?${queryOf({ [DURATION]: 60_000 })}`, body))
        .event_id,
      (await alice.ok('PUT', `${roomPath(roomId)}/state/a.state/key?${queryOf({ [DURATION]: 60_000 })}`, body))
        .event_id,
    ];
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) {
      const event = await bob.ok('GET', `${roomPath(roomId)}/event/${id}`);
      expect(event).toMatchObject({ content: body, msc4354_sticky: { duration_ms: 60_000 } });
      const ttl = event.unsigned.msc4354_sticky_duration_ttl_ms;
      expect(ttl > 0 && ttl <= 60_000).toBe(true);
    }
    const filter = { event_format: 'federation', room: { timeline: { types: ['m.room.message'] } } };
    const [signed] = (await bob.sync({ filter })).rooms.join[roomId].timeline.events;
    expect(signed).toMatchObject({ msc4354_sticky: { duration_ms: 60_000 }, hashes: expect.anything() });
  });

  it('that is state is set again, though it says the same', async () => {
    const path = `${roomPath(roomId)}/state/a.state/key`;
    const set = async (query = ''): Promise<string> => (await alice.ok('PUT', path + query, { a: 1 })).event_id;
    const sticky = `?${queryOf({ [DURATION]: HOUR })}`;
    const [first, second] = [await set(sticky), await set(sticky)];
    expect(second).not.toBe(first);
    expect(await set()).toBe(second);
  });

  it('is refused for longer than an hour, and for what is no time', async () => {
    for (const duration of [HOUR + 1, -1, '1.5', 'long', '1e3']) {
      const { status, body } = await alice.call('PUT', sendPath(duration), { msgtype: 'm.text', body: 'no' });
      expect([duration, status, body.errcode]).toEqual([duration, 400, 'M_INVALID_PARAM']);
    }
    expect(told(await alice.sync()).timeline).toEqual([]);
    await stick(alice, 'for no time', 0);
    await chatter();
    expect(await stickyOf(alice)).toEqual([]);
  });

  it('is told once more to who syncs anew, as long as the timeline does not show it', async () => {
    await stick(alice, 'one');
    expect(told(await bob.sync())).toEqual({ sticky: [], timeline: ['one'] });
    await chatter();
    await stick(bob, 'two');
    const { sticky, timeline } = told(await bob.sync());
    expect([sticky, timeline.at(-1)]).toEqual([['one'], 'two']);
    const [event] = (await bob.sync()).rooms.join[roomId].msc4354_sticky.events;
    expect(event.unsigned).toMatchObject({ membership: 'join', msc4354_sticky_duration_ttl_ms: expect.any(Number) });
    expect(event).not.toHaveProperty('room_id');
  });

  it('is told once to who goes on, in a gap too', async () => {
    const { next_batch: since } = await bob.sync();
    await stick(alice, 'in the gap');
    await chatter();
    await stick(alice, 'in sight');
    const answer = await bob.sync({ since });
    expect(answer.rooms.join[roomId].timeline.limited).toBe(true);
    expect(told(answer).sticky).toEqual(['in the gap']);
    expect(told(answer).timeline.at(-1)).toBe('in sight');
    await alice.send(roomId, 'more');
    expect(await stickyOf(bob, { since: answer.next_batch })).toEqual([]);
    // Whoever asks again is told it again.
    expect(await stickyOf(bob, { since })).toEqual(['in the gap']);
  });

  it('wakes who waits, and is told whatever the filter of the timeline says', async () => {
    const filter = { room: { timeline: { types: ['a.type'], limit: 3 }, state: { lazy_load_members: true } } };
    const { next_batch: since } = await bob.sync({ filter });
    const waiting = bob.sync({ since, filter, timeout: '20000' });
    await stick(alice, 'filtered');
    const answer = await waiting;
    expect(told(answer)).toEqual({ sticky: ['filtered'], timeline: [] });
    expect(await stickyOf(bob, { filter: { room: { not_rooms: [roomId] } } })).toEqual([]);
  });

  it('brings the member who sent it to who loads members as they are needed', async () => {
    await stick(alice, 'mine');
    for (let n = 0; n < 4; n++) await bob.send(roomId, `${n}`);
    const filter = { room: { timeline: { limit: 1 }, state: { lazy_load_members: true, types: ['m.room.member'] } } };
    const carol = await app.register('carol');
    await carol.join(roomId);
    const { state } = (await carol.sync({ filter })).rooms.join[roomId];
    expect(state.events.map(({ state_key: key }: Body) => key)).toContain(alice.userId);
  });

  it('is told to who joins later, whatever they may see of the history, and to nobody who is not in the room', async () => {
    await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'joined' });
    await stick(alice, 'before you came');
    const carol = await app.register('carol');
    const { next_batch: since } = await carol.sync();
    await alice.ok('POST', `${roomPath(roomId)}/invite`, { user_id: carol.userId });
    expect(JSON.stringify(await carol.sync({ since }))).not.toContain('before you came');
    await carol.join(roomId);
    const joined = await carol.sync({ since });
    expect(told(joined)).toEqual({ sticky: ['before you came'], timeline: [] });
    await carol.leave(roomId);
    await stick(alice, 'after you went');
    const filter = { room: { include_leave: true } };
    for (const params of [{ since: joined.next_batch }, { filter }] as Record<string, object>[]) {
      expect(JSON.stringify(await carol.sync(params))).not.toMatch(/after you went|before you came/);
    }
    await carol.join(roomId);
    expect(await stickyOf(carol, { since: joined.next_batch })).toEqual(['after you went']);
    expect(await stickyOf(carol)).toEqual(['before you came', 'after you went']);
  });

  it('is not told of who is ignored', async () => {
    await stick(alice, 'hear me');
    await chatter();
    const ignored = { ignored_users: { [alice.userId]: {} } };
    await bob.ok('PUT', `/user/${bob.userId}/account_data/m.ignored_user_list`, ignored);
    expect(await stickyOf(bob)).toEqual([]);
    expect(await stickyOf(alice)).toEqual(['hear me']);
  });

  it('ends with its redaction', async () => {
    const id = await stick(alice, 'oops');
    await stick(alice, 'stays');
    await chatter();
    await alice.ok('PUT', `${roomPath(roomId)}/redact/${id}/r`, {});
    expect(await stickyOf(bob)).toEqual(['stays']);
    const event = await bob.ok('GET', `${roomPath(roomId)}/event/${id}`);
    expect(event).not.toHaveProperty('msc4354_sticky');
    expect(event.unsigned).not.toHaveProperty('msc4354_sticky_duration_ttl_ms');
  });

  it('is over once its time has passed, and stays so after a restart and when the views are made anew', async () => {
    const id = await stick(alice, 'short', 60_000);
    await stick(alice, 'long');
    await chatter();
    expect(await stickyOf(bob)).toEqual(['short', 'long']);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_001 });
    expect(await stickyOf(bob)).toEqual(['long']);
    const { unsigned } = await bob.ok('GET', `${roomPath(roomId)}/event/${id}`);
    expect(unsigned).not.toHaveProperty('msc4354_sticky_duration_ttl_ms');
    await app.restart();
    expect(await stickyOf(bob)).toEqual(['long']);
    await app.views.operations.rebuild('sticky-events');
    await app.settled();
    expect(await stickyOf(bob)).toEqual(['long']);
  });

  it('may be sent later', async () => {
    const later = `${sendPath(120_000)}&org.matrix.msc4140.delay=600000`;
    const { delay_id: id } = await alice.ok('PUT', later, { msgtype: 'm.text', body: 'later' });
    const { next_batch: since } = await bob.sync();
    await alice.ok('POST', `/_matrix/client/v1/delayed_events/${id}/send`, {});
    const [event] = (await bob.sync({ since })).rooms.join[roomId].timeline.events;
    expect(event).toMatchObject({ content: { body: 'later' }, msc4354_sticky: { duration_ms: 120_000 } });
    expect(event.unsigned.msc4354_sticky_duration_ttl_ms).toBeGreaterThan(100_000);
  });
});

describe('where no events are to be sticky', () => {
  it('each is an event like any other', async () => {
    const other = await SyncApp.start();
    try {
      const user = await other.register('alice');
      const room = await user.createRoom({ preset: 'public_chat' });
      const id = await stick(user, 'plain', 60_000, room);
      expect(await user.ok('GET', `${roomPath(room)}/event/${id}`)).not.toHaveProperty('msc4354_sticky');
      for (let n = 0; n < 11; n++) await user.send(room, `${n}`);
      expect((await user.sync()).rooms.join[room]).not.toHaveProperty('msc4354_sticky');
      const { unstable_features: features } = (await other.call('GET', '/_matrix/client/versions')).body;
      expect(features).not.toHaveProperty('org.matrix.msc4354');
    } finally {
      await other.close();
    }
  });
});
