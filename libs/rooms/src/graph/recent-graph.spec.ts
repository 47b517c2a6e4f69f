import { beforeEach, describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import type { RoomEvent } from '#protocol/room-event';
import { LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomViews } from '#testing/room-views';
import { RecentGraph } from './recent-graph.js';
import { RoomGraph } from './room-graph.js';

const BEGINNING = { revision: -1, position: START };

let log: MemoryEventStore;
let views: RoomViews;
let room: LocalRoom;
let events: RoomEvent[];

beforeEach(async () => {
  log = new MemoryEventStore();
  views = new RoomViews(log);
  room = await LocalRoom.begin(log);
  events = [];
});

async function goOn(times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    events.push(await room.setState('m.room.topic', { topic: `${events.length}` }));
    events.push(await room.say('well'));
  }
}

/** Compares with views that have everything. */
async function check(graph: RoomGraph): Promise<void> {
  const all = new RoomGraph(await new RoomViews(log).follow(), room.roomId);
  for (const { eventId } of [...events.slice(0, 4), ...events.slice(-4)]) {
    expect(await graph.findEvent(eventId)).toEqual(await all.findEvent(eventId));
    const [expected, found] = [await all.findStateAfter(eventId), await graph.findStateAfter(eventId)];
    expect(await found!.list()).toEqual(await expected!.list());
    expect(await found!.findRoot()).toBe(await expected!.findRoot());
  }
}

describe('the graph of a room ahead of its views', () => {
  it('knows what was noted and is not in the views', async () => {
    await goOn(3);
    const recent = new RecentGraph(room.roomId, BEGINNING, { store: log, views });
    for (const fact of log.facts) recent.note(fact);
    await check(await recent.open());
    const before = log.facts.length;
    await views.follow();
    await goOn(2);
    for (const fact of log.facts.slice(before)) recent.note(fact);
    await check(await recent.open());
    expect(await (await recent.open()).findEvent(events.at(-1)!.eventId)).toMatchObject({ outcome: 'accepted' });
  });

  it('reads in the log what lies between the views and what was noted', async () => {
    await goOn(2);
    await views.follow();
    await goOn(2);
    const recent = new RecentGraph(room.roomId, log.facts.at(-1)!, { store: log, views });
    await check(await recent.open());
    expect(recent.size).toBe(4);
  });

  it('forgets what the views have passed, and nothing else', async () => {
    const recent = new RecentGraph(room.roomId, BEGINNING, { store: log, views });
    let noted = 0;
    const noteAll = (): void => {
      for (; noted < log.facts.length; noted++) recent.note(log.facts[noted]!);
    };
    await goOn(515);
    noteAll();
    expect(recent.size).toBe(log.facts.length);
    await check(await recent.open());
    await views.follow();
    await goOn(1);
    noteAll();
    expect(recent.size).toBeLessThanOrEqual(2);
    await check(await recent.open());
    await goOn(515);
    noteAll();
    await views.follow();
    await room.setMembership('@carol:a.example' as UserId, 'invite', '@alice:a.example' as UserId);
    noteAll();
    await check(await recent.open());
  });

  it('goes on once views are back that could not be read', async () => {
    await goOn(1);
    await views.follow();
    await goOn(1);
    const recent = new RecentGraph(room.roomId, log.facts.at(-3)!, { store: log, views });
    for (const fact of log.facts.slice(-2)) recent.note(fact);
    const get = views.get.bind(views);
    views.get = () => Promise.reject(new Error('gone'));
    await expect(recent.open()).rejects.toThrow('gone');
    views.get = get;
    const data = JSON.stringify({ event_id: '$x', state: [], root: '', pdu: { depth: 1, prev_events: ['$nowhere'] } });
    recent.note({ ...log.facts[0]!, type: 'pdu-rejected', data, revision: log.facts.length });
    await check(await recent.open());
  });

  it('goes on upon views that do not say which row of a part of the state is the newest, or that have moved on', async () => {
    await goOn(2);
    await views.follow();
    const newest = (await views.scan('graph-newest', { limit: 10 })).map(({ key }) => key);
    expect(newest.length).toBeGreaterThan(0);
    const since = log.facts.at(-1)!;
    await goOn(2);
    const get = views.get.bind(views);
    for (const told of [undefined, '00000z']) {
      views.get = (collection, key) => (collection === 'graph-newest' ? Promise.resolve(told) : get(collection, key));
      const recent = new RecentGraph(room.roomId, since, { store: log, views });
      for (const fact of log.facts.slice(since.revision + 1)) recent.note(fact);
      await check(await recent.open());
    }
  });

  it('goes on without a fact that it cannot take', async () => {
    await goOn(1);
    const recent = new RecentGraph(room.roomId, BEGINNING, { store: log, views });
    const [create] = log.facts;
    for (const fact of log.facts) recent.note(fact);
    const data = JSON.stringify({ event_id: '$x', state: [], root: '', pdu: { depth: 1, prev_events: ['$nowhere'] } });
    recent.note({ ...create!, type: 'pdu-rejected', data, revision: log.facts.length });
    await check(await recent.open());
  });
});
