import { beforeEach, describe, expect, it } from 'vitest';
import type { EventId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { START } from '#kernel/position';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { StateTrie } from '#protocol/state-trie/state-trie';
import type { ForkedRoom } from '#testing/forked-room';
import { ALICE, type LocalRoom } from '#testing/local-room';
import type { MemoryEventStore } from '#testing/memory-event-store';
import type { RoomViews } from '#testing/room-views';
import { CAROL, roomWithCarol } from '#testing/room-with-carol';
import { changedBy } from '../decide/room-state.js';
import { currentChangeOf, type PduAccepted } from '../facts/room-facts.js';
import type { TimelineRow } from '../projections/timeline-row.js';
import { findStateRowsAt, isSoAt, listStateChanges, listStateRowsAfter, listStateRowsAt } from './past-state.js';

const TOPIC = 'm.room.topic';

let log: MemoryEventStore;
let views: RoomViews;
let room: LocalRoom;
let others: ForkedRoom;

beforeEach(async () => {
  ({ log, room, others, views } = await roomWithCarol());
  await room.setState('m.room.power_levels', { users: { [ALICE]: 100, [CAROL]: 50 } });
});

const carols = (topic: string, prevEvents: readonly EventId[]) =>
  others.receive({ sender: CAROL, type: TOPIC, stateKey: '', content: { topic }, prevEvents });

const idsOf = (rows: readonly (TimelineRow | undefined)[]) => rows.map((row) => row?.header.eventId).toSorted();

/** What the room's facts say that its current state was at each place of the log. */
function statesOf(): { readonly position: Position; readonly state: StateTrie }[] {
  const states: { position: Position; state: StateTrie }[] = [];
  for (const { type, data, position } of log.facts) {
    const change = type === 'pdu-accepted' ? currentChangeOf(JSON.parse(data) as PduAccepted) : undefined;
    if (change === undefined) continue;
    states.push({ position, state: changedBy(states.at(-1)?.state ?? StateTrie.empty, change.state) });
  }
  return states;
}

/** A room in which Carol keeps speaking on an extremity of her own, and now and then somebody brings all extremities together. */
async function fork(): Promise<void> {
  let end = await others.extremities();
  for (let i = 0; i < 24; i++) {
    if (i % 3 === 0) await room.setState(TOPIC, { topic: `Alice's ${i}` });
    else if (i % 3 === 1) end = [(await carols(`Carol's ${i}`, end)).eventId];
    else await room.setState('m.room.name', { name: `${i}` });
    if (i % 8 === 7) {
      await room.say('all together');
      end = await others.extremities();
    }
  }
  await views.follow();
}

describe('the state of a room that forks', () => {
  it('is at each place of the log what the extremities were resolved to, and after each event its own', async () => {
    await fork();
    let differ = 0;
    for (const { position, state } of statesOf()) {
      const expected = [...state.entries()].map(({ eventId }) => eventId).toSorted();
      expect(idsOf(await listStateRowsAt(views, room.roomId, position))).toEqual(expected);
      expect(idsOf(await findStateRowsAt(views, room.roomId, [[TOPIC, '']], position))).toEqual([state.get(TOPIC, '')]);
      const fact = log.facts.find((one) => one.position === position)!;
      const { event_id: eventId, pdu } = JSON.parse(fact.data) as PduAccepted;
      const after = idsOf(await listStateRowsAfter(views, room.roomId, { eventId, position }));
      if (pdu['state_key'] !== undefined) expect(after).toContain(eventId);
      differ += Number(after.join() !== expected.join());
    }
    expect(differ).toBeGreaterThan(3);
  });

  it('has of its members those that are asked for, few or many', async () => {
    await fork();
    const { data, position } = log.facts.findLast(({ type }) => type === 'pdu-accepted')!;
    const { event_id: eventId } = JSON.parse(data) as PduAccepted;
    const all = await listStateRowsAfter(views, room.roomId, { eventId, position });
    const expected = all.filter(({ header }) => header.type !== 'm.room.member' || header.stateKey === CAROL);
    expect(expected.length).toBeLessThan(all.length);
    const strangers = Array.from({ length: 200 }, (_, i) => `@stranger${i}:example.org`);
    for (const members of [
      [CAROL, ...strangers.slice(0, 5)],
      [CAROL, ...strangers],
    ]) {
      const rows = await listStateRowsAfter(views, room.roomId, { eventId, position }, new Set<string>(members));
      expect(idsOf(rows)).toEqual(idsOf(expected));
    }
  });

  it('changed between any two places by what differs, and by nothing that came and went', async () => {
    await fork();
    const states = statesOf();
    for (const [i, earlier] of states.entries()) {
      for (const later of states.slice(i)) {
        const { rows: told } = await listStateChanges(views, room.roomId, earlier.position, later.position);
        const differing = [...later.state.entries()].filter(
          (one) => earlier.state.get(one.type, one.stateKey) !== one.eventId,
        );
        expect(idsOf(told)).toEqual(differing.map(({ eventId }) => eventId).toSorted());
      }
    }
    const { rows: all } = await listStateChanges(views, room.roomId, START, states.at(-1)!.position);
    expect(new Set(all.map(({ header }) => stateKeyOf(header.type, header.stateKey!))).size).toBe(all.length);
    expect(all.length).toBe([...states.at(-1)!.state.entries()].length);
  });

  it('is what an event says at those places alone at which it holds its key', async () => {
    await fork();
    const rows = new Map<EventId, TimelineRow>();
    for (const { position, state } of statesOf()) {
      const [held] = await findStateRowsAt(views, room.roomId, [[TOPIC, '']], position);
      if (held !== undefined) rows.set(held.header.eventId, held);
      const holder = state.get(TOPIC, '');
      for (const [eventId, row] of rows) {
        expect(await isSoAt(views, room.roomId, row, position)).toBe(eventId === holder);
      }
    }
    expect(rows.size).toBeGreaterThan(4);
  });

  it('is not told, rather than told wrong, while the graph has not come so far', async () => {
    const then = log.facts.at(-1)!.position;
    await room.setState(TOPIC, { topic: 'later' });
    await views.follow();
    const behind = Object.assign(Object.create(views) as RoomViews, {
      get: (collection: string, key: readonly string[]) =>
        collection.startsWith('graph') ? Promise.resolve(undefined) : views.get(collection, key),
      getMany: views.getMany.bind(views),
      scan: views.scan.bind(views),
      whenProcessed: () => Promise.resolve(),
      position: () => START,
    });
    await expect(listStateRowsAt(behind, room.roomId, then)).rejects.toThrow(ViewsUnavailable);
    await expect(listStateChanges(behind, room.roomId, START, then)).rejects.toThrow(ViewsUnavailable);
    // What is so since then is known without it.
    const now = log.facts.at(-1)!.position;
    expect((await listStateRowsAt(behind, room.roomId, now)).length).toBeGreaterThan(4);
  });
});
