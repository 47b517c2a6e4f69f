import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, bob] = await Promise.all([app.register('alice'), app.register('bob')]);
});
afterAll(() => app.close());

type Event = { type: string; content: Record<string, unknown>; state_key?: string; event_id: string };
const bodies = (events: Event[]): unknown[] => events.map(({ content }) => content['body']).filter(Boolean);
const keys = (events: Event[]): string[] => events.map(({ type, state_key: key }) => `${type}|${key}`).toSorted();
const limited = (limit: number): object => ({ room: { timeline: { limit } } });

async function roomWithBob(options: object = {}): Promise<string> {
  const roomId = await alice.createRoom({ preset: 'public_chat', ...options });
  await bob.join(roomId);
  return roomId;
}

describe('a room in an initial sync', () => {
  it('is its newest events, and the state before the first of them', async () => {
    const roomId = await roomWithBob();
    await alice.setState(roomId, 'm.room.topic', { topic: 'before' });
    await alice.send(roomId, 'one');
    await alice.setState(roomId, 'm.room.topic', { topic: 'after' });
    await alice.setState(roomId, 'm.room.name', { name: 'new' });

    const room = (await alice.sync({ filter: limited(3) })).rooms.join[roomId];
    expect(room.timeline.limited).toBe(true);
    expect(room.timeline.events.map((event: Event) => event.type)).toEqual([
      'm.room.message',
      'm.room.topic',
      'm.room.name',
    ]);
    const topic = room.state.events.find((event: Event) => event.type === 'm.room.topic');
    expect(topic.content.topic).toBe('before');
    expect(keys(room.state.events)).not.toContain('m.room.name|');
    expect(room.timeline.events[1].unsigned.prev_content.topic).toBe('before');
    expect(room.timeline.events[0]).not.toHaveProperty('room_id');
  });

  it('has no state where the timeline has all of the room', async () => {
    const roomId = await alice.createRoom();
    const room = (await alice.sync({ filter: limited(50) })).rooms.join[roomId];
    expect(room.timeline).toMatchObject({ limited: false });
    expect(room.timeline.events[0].type).toBe('m.room.create');
    expect(room.state.events).toEqual([]);
  });

  it('leads by prev_batch to the events before it', async () => {
    const roomId = await alice.createRoom();
    for (const body of ['1', '2', '3', '4']) await alice.send(roomId, body);
    const { timeline } = (await alice.sync({ filter: limited(2) })).rooms.join[roomId];
    expect(bodies(timeline.events)).toEqual(['3', '4']);
    const page = await alice.ok('GET', `${roomPath(roomId)}/messages?dir=b&limit=2&from=${timeline.prev_batch}`);
    expect(bodies(page.chunk)).toEqual(['2', '1']);
  });

  it('tells state_after where asked for, with the state behind the timeline', async () => {
    const roomId = await alice.createRoom();
    await alice.setState(roomId, 'm.room.topic', { topic: 'last' });
    const room = (await alice.sync({ filter: limited(1), use_state_after: true })).rooms.join[roomId];
    expect(room).not.toHaveProperty('state');
    const topic = room.state_after.events.find((event: Event) => event.type === 'm.room.topic');
    expect(topic.content.topic).toBe('last');
  });
});

describe('an incremental sync', () => {
  it('tells what is new once, and the transaction id to the device that sent it alone', async () => {
    const roomId = await roomWithBob();
    const other = await alice.logIn();
    const [mine, others] = await Promise.all([alice.sync(), other.sync()]);
    await alice.ok('PUT', `${roomPath(roomId)}/send/m.room.message/mytxn`, { msgtype: 'm.text', body: 'new' });

    const next = await alice.sync({ since: mine.next_batch });
    const [event] = next.rooms.join[roomId].timeline.events;
    expect(event).toMatchObject({ content: { body: 'new' }, unsigned: { transaction_id: 'mytxn' } });
    expect(next.rooms.join[roomId].timeline.limited).toBe(false);
    const [theirs] = (await other.sync({ since: others.next_batch })).rooms.join[roomId].timeline.events;
    expect(theirs.unsigned).not.toHaveProperty('transaction_id');
    expect(await alice.sync({ since: next.next_batch })).not.toHaveProperty('rooms');
  });

  it('describes a gap by the state that changed in it', async () => {
    const roomId = await roomWithBob();
    await alice.setState(roomId, 'm.room.topic', { topic: 'old' });
    const { next_batch: since } = await alice.sync();
    await alice.setState(roomId, 'm.room.topic', { topic: 'in the gap' });
    await alice.setState(roomId, 'm.room.topic', { topic: 'last in the gap' });
    for (const body of ['1', '2', '3']) await alice.send(roomId, body);

    const room = (await alice.sync({ since, filter: limited(2) })).rooms.join[roomId];
    expect(room.timeline.limited).toBe(true);
    expect(bodies(room.timeline.events)).toEqual(['2', '3']);
    expect(room.state.events.map((event: Event) => event.content['topic'])).toEqual(['last in the gap']);
    const query = `dir=b&from=${room.timeline.prev_batch}&to=${since}`;
    const gap = await alice.ok('GET', `${roomPath(roomId)}/messages?${query}`);
    expect(gap.chunk.map((event: Event) => event.content['topic'] ?? event.content['body'])).toEqual([
      '1',
      'last in the gap',
      'in the gap',
    ]);
  });

  it('tells the state that its timeline filter hides', async () => {
    const roomId = await roomWithBob();
    const filter = { room: { timeline: { types: ['m.room.message'] } } };
    const { next_batch: since } = await alice.sync({ filter });
    await alice.setState(roomId, 'm.room.topic', { topic: 'hidden' });
    await alice.send(roomId, 'shown');
    await alice.setState(roomId, 'm.room.name', { name: 'hidden too' });
    const room = (await alice.sync({ since, filter })).rooms.join[roomId];
    expect(bodies(room.timeline.events)).toEqual(['shown']);
    expect(keys(room.state.events)).toEqual(['m.room.name|', 'm.room.topic|']);
  });

  it('answers the whole state again where asked for, and no more of the timeline than is new', async () => {
    const roomId = await roomWithBob();
    const { next_batch: since } = await alice.sync();
    await alice.send(roomId, 'new');
    const room = (await alice.sync({ since, full_state: true })).rooms.join[roomId];
    expect(bodies(room.timeline.events)).toEqual(['new']);
    expect(keys(room.state.events)).toContain('m.room.create|');
  });

  it('treats a joined room as new: all its state, and of its history what is visible', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'joined' });
    await alice.send(roomId, 'secret');
    const { next_batch: since } = await bob.sync();
    await bob.join(roomId);
    await alice.send(roomId, 'open');
    const room = (await bob.sync({ since, filter: limited(50) })).rooms.join[roomId];
    expect(bodies(room.timeline.events)).toEqual(['open']);
    const told = [...room.state.events, ...room.timeline.events] as Event[];
    expect(keys(told)).toContain('m.room.power_levels|');
    expect(new Set(told.map(({ event_id: id }) => id)).size).toBe(told.length);
  });
});

describe('rooms the user has left', () => {
  it('end with the event by which the user left, for leaving, being kicked and being banned', async () => {
    for (const how of ['leave', 'kick', 'ban']) {
      const roomId = await roomWithBob();
      const { next_batch: since } = await bob.sync();
      await alice.send(roomId, 'before');
      if (how === 'leave') await bob.leave(roomId);
      else await alice.ok('POST', `${roomPath(roomId)}/${how}`, { user_id: bob.userId });
      await alice.send(roomId, 'after');

      const next = await bob.sync({ since });
      expect(next.rooms.join, how).toEqual({});
      const { timeline } = next.rooms.leave[roomId];
      expect(bodies(timeline.events), how).toEqual(['before']);
      expect(timeline.events.at(-1), how).toMatchObject({ type: 'm.room.member', state_key: bob.userId });
      expect(await bob.sync({ since: next.next_batch }), how).not.toHaveProperty('rooms');
    }
  });

  it('are in an initial sync only where asked for, and nowhere once forgotten', async () => {
    const roomId = await roomWithBob();
    await bob.leave(roomId);
    const filter = { room: { include_leave: true, timeline: { limit: 1 } } };
    expect((await bob.sync()).rooms?.leave ?? {}).not.toHaveProperty([roomId]);
    expect((await bob.sync({ filter })).rooms.leave[roomId].state.events.length).toBeGreaterThan(0);
    const { next_batch: since } = await bob.sync();
    await bob.ok('POST', `${roomPath(roomId)}/forget`, {});
    expect((await bob.sync({ filter })).rooms?.leave ?? {}).not.toHaveProperty([roomId]);
    expect((await bob.sync({ since })).rooms?.leave ?? {}).not.toHaveProperty([roomId]);
  });

  it('show all of the state where the user joined and left since', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const { next_batch: since } = await bob.sync();
    await bob.join(roomId);
    await bob.leave(roomId);
    const room = (await bob.sync({ since, filter: limited(1) })).rooms.leave[roomId];
    expect(keys(room.state.events)).toContain('m.room.create|');
  });

  it('lead from one stay to the next, where the user was in the room again: the client must not glue the timelines together', async () => {
    const roomId = await roomWithBob();
    await bob.leave(roomId);
    const { next_batch: since } = await bob.sync();
    await alice.send(roomId, 'between');
    await bob.join(roomId);
    await bob.leave(roomId);
    const { timeline } = (await bob.sync({ since, filter: limited(50) })).rooms.leave[roomId];
    expect(bodies(timeline.events)).toContain('between');
    expect(timeline.limited).toBe(true);
  });

  it.each(['invite', 'knock'])('are told as what they were once an %s after that comes to nothing', async (what) => {
    const roomId = await roomWithBob();
    const kick = (): Promise<unknown> => alice.ok('POST', `${roomPath(roomId)}/kick`, { user_id: bob.userId });
    const { next_batch: first } = await bob.sync();
    await alice.send(roomId, 'before');
    await alice.setState(roomId, 'm.room.topic', { topic: 'before' });
    await alice.setState(roomId, 'm.room.join_rules', { join_rule: 'knock' });
    await kick();
    await alice.setState(roomId, 'm.room.topic', { topic: 'after' });
    if (what === 'invite') await alice.ok('POST', `${roomPath(roomId)}/invite`, { user_id: bob.userId });
    else await bob.ok('POST', `/knock/${encodeURIComponent(roomId)}`, {});
    const { rooms: told, next_batch: since } = await bob.sync({ since: first });
    expect(told).toMatchObject({ [what]: { [roomId]: {} }, leave: {} });
    await (what === 'invite' ? bob.leave(roomId) : kick());
    const { rooms, next_batch: then } = await bob.sync({ since });
    const { state, timeline } = rooms.leave[roomId];
    expect(timeline.limited).toBe(true);
    expect(bodies(timeline.events)).toEqual(['before']);
    const topics = [...state.events, ...timeline.events].filter(({ type }: Event) => type === 'm.room.topic');
    expect(topics).toMatchObject([{ content: { topic: 'before' } }]);
    expect(timeline.events.at(-1)).toMatchObject({ state_key: bob.userId, content: { membership: 'leave' } });
    expect(await bob.sync({ since: then })).not.toHaveProperty('rooms');
  });

  it('say what became of the user last where their filter leaves that out of the timeline', async () => {
    const carol = await app.register('carol');
    const roomId = await roomWithBob({ power_level_content_override: { users: { [carol.userId]: 50 } } });
    await carol.join(roomId);
    await alice.ok('POST', `${roomPath(roomId)}/kick`, { user_id: bob.userId });
    await carol.ok('POST', `${roomPath(roomId)}/ban`, { user_id: bob.userId });
    const filter = { room: { include_leave: true, timeline: { not_senders: [carol.userId] } } };
    const { state, timeline } = (await bob.sync({ filter })).rooms.leave[roomId];
    const own = [...state.events, ...timeline.events].filter((event: Event) => event.state_key === bob.userId);
    expect(own.at(-1)).toMatchObject({ content: { membership: 'ban' } });
    expect(timeline.limited).toBe(true);
  });
});

describe('invitations and knocks', () => {
  it('come with stripped state, and nothing of the room itself', async () => {
    const roomId = await alice.createRoom({ name: 'Secret', preset: 'private_chat' });
    const { next_batch: since } = await bob.sync();
    await alice.ok('POST', `${roomPath(roomId)}/invite`, { user_id: bob.userId });
    const next = await bob.sync({ since });
    const { events } = next.rooms.invite[roomId].invite_state;
    expect(keys(events)).toEqual(
      expect.arrayContaining([
        'm.room.create|',
        'm.room.join_rules|',
        `m.room.member|${alice.userId}`,
        `m.room.member|${bob.userId}`,
        'm.room.name|',
      ]),
    );
    for (const event of events) {
      const isCreate = event.type === 'm.room.create';
      const whole = ['content', 'event_id', 'origin_server_ts', 'room_id', 'sender', 'state_key', 'type'];
      const stripped = ['content', 'sender', 'state_key', 'type'];
      expect(Object.keys(event).toSorted()).toEqual(isCreate ? whole : stripped);
    }
    expect((await bob.sync()).rooms.invite).toHaveProperty([roomId]);
    await alice.send(roomId, 'secret');
    expect(await bob.sync({ since: next.next_batch })).not.toHaveProperty('rooms');
  });

  it('that are declined appear among the left rooms, with that event alone', async () => {
    const roomId = await alice.createRoom({ preset: 'private_chat' });
    await alice.ok('POST', `${roomPath(roomId)}/invite`, { user_id: bob.userId });
    const { next_batch: since } = await bob.sync();
    await alice.send(roomId, 'secret');
    await bob.leave(roomId);
    const room = (await bob.sync({ since })).rooms.leave[roomId];
    expect(room.state.events).toEqual([]);
    expect(room.timeline.events).toHaveLength(1);
    expect(room.timeline.events[0]).toMatchObject({ state_key: bob.userId, content: { membership: 'leave' } });
  });

  it('that end are state of whoever takes none from the timeline, or is shown no such event there', async () => {
    const rules = [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }];
    const roomId = await alice.createRoom({ initial_state: rules });
    const path = roomPath(roomId);
    const target = { user_id: bob.userId };
    const ends: [string, () => Promise<unknown>, () => Promise<unknown>][] = [
      ['leave', () => bob.ok('POST', `/knock/${encodeURIComponent(roomId)}`, {}), () => bob.leave(roomId)],
      ['leave', () => alice.ok('POST', `${path}/invite`, target), () => bob.leave(roomId)],
      ['ban', () => alice.ok('POST', `${path}/invite`, target), () => alice.ok('POST', `${path}/ban`, target)],
    ];
    for (const [membership, begin, end] of ends) {
      await begin();
      const { next_batch: since } = await bob.sync();
      await end();
      const own = [{ type: 'm.room.member', state_key: bob.userId, content: { membership } }];
      const after = (await bob.sync({ since, use_state_after: true })).rooms.leave[roomId];
      expect(after).toMatchObject({ state_after: { events: own }, timeline: { events: own, limited: false } });
      const none = (await bob.sync({ since, filter: limited(0) })).rooms.leave[roomId];
      expect(none).toMatchObject({ state: { events: own }, timeline: { events: [], limited: true } });
    }
  });

  it('of ignored users are not told, nor are their messages', async () => {
    const [victim, pest] = await Promise.all([app.register('victim'), app.register('pest')]);
    const shared = await alice.createRoom({ preset: 'public_chat' });
    await Promise.all([victim.join(shared), pest.join(shared)]);
    const list = { ignored_users: { [pest.userId]: {} } };
    await victim.ok('PUT', `/user/${victim.userId}/account_data/m.ignored_user_list`, list);
    const { next_batch: since } = await victim.sync();
    await pest.send(shared, 'look here');
    await alice.send(shared, 'good morning');
    const roomId = await pest.createRoom({ invite: [victim.userId] });
    const next = await victim.sync({ since });
    expect(bodies(next.rooms.join[shared].timeline.events)).toEqual(['good morning']);
    expect(next.rooms.invite).not.toHaveProperty([roomId]);
  });

  it('are told of a knock', async () => {
    const state = [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }];
    const roomId = await alice.createRoom({ initial_state: state });
    const { next_batch: since } = await bob.sync();
    await bob.ok('POST', `/knock/${encodeURIComponent(roomId)}`, {});
    const { knock } = (await bob.sync({ since })).rooms;
    expect(keys(knock[roomId].knock_state.events)).toContain('m.room.create|');
  });
});
