import { beforeEach, describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import type { RoomEvent } from '#protocol/room-event';
import { type StateEntry, StateTrie, trieOf } from '#protocol/state-trie/state-trie';
import { MemoryReadModels } from '#testing/memory-read-models';
import { numbersFrom } from '#testing/numbers-from';
import { applyFacts, project, recordFacts, rowsOf, type StreamFact } from '#testing/project';
import { changedBy, changesBetween, tellHeldBefore } from '../decide/room-state.js';
import type { StateBase, StateChange } from '../facts/room-facts.js';
import { graphProjector } from '../projections/graph.projector.js';
import { createRoomFactReader } from '../projections/room-fact-reader.js';
import { MOST_BEHIND, MOST_ENTRIES } from './bucket-rows.js';
import { RoomGraph } from './room-graph.js';

const ROOM = '!r:a.example' as RoomId;
const MEMBER = 'm.room.member';

/** Facts of a room and, beside them, the state before and after each event in full. */
class Told {
  readonly facts: StreamFact[] = [];
  readonly before = new Map<EventId, StateTrie>();
  readonly after = new Map<EventId, StateTrie>();
  #events = 0;

  /** An event on others. `merged` says what state resolution made of the states after them, as a change of that after the first. */
  event(
    prev: readonly EventId[],
    {
      key,
      type = MEMBER,
      merged = [],
      fact = 'pdu-accepted',
      base,
      room = ROOM,
      id,
      deletes = false,
    }: {
      key?: string;
      type?: string;
      merged?: readonly StateChange[];
      fact?: string;
      base?: StateBase;
      room?: RoomId;
      id?: EventId;
      deletes?: boolean;
    } = {},
  ): EventId {
    const eventId = id ?? (`$${this.#events++}` as EventId);
    const start = typeof base === 'object' ? LEARNT : (this.after.get(base ?? prev[0]!) ?? StateTrie.empty);
    const before = changedBy(start, merged);
    const holds = key !== undefined && fact !== 'pdu-rejected';
    const held = holds ? tellHeldBefore({ type, stateKey: key } as RoomEvent, start, before) : {};
    const own = holds ? [{ type, state_key: key, event_id: deletes ? null : eventId }] : [];
    const after = changedBy(before, own);
    this.before.set(eventId, before);
    this.after.set(eventId, after);
    const state = changesBetween(start, after);
    const root = after.rootHash;
    const pdu = { depth: this.#events, prev_events: prev, type, ...(key === undefined ? {} : { state_key: key }) };
    const told = { state, ...held, root, ...(base === undefined ? {} : { base }) };
    const data = { event_id: eventId, room_version: '11', ...told, pdu };
    this.facts.push({ stream: `room-${room}`, type: fact, data });
    return eventId;
  }

  outlier(eventId: EventId, reason?: string): void {
    const data = {
      event_id: eventId,
      origin: 'b.example',
      ...(reason && { reason }),
      pdu: { depth: 7, prev_events: [] },
    };
    this.facts.push({ stream: `room-${ROOM}`, type: 'outlier-stored', data });
  }

  learnt(before: EventId, entries: readonly (readonly [string, string, EventId])[], parts: number): void {
    const size = Math.ceil(entries.length / parts);
    const root = trieOf(entries.map(([type, stateKey, eventId]) => ({ type, stateKey, eventId }))).rootHash;
    for (let part = 1; part <= parts; part++) {
      const state = entries.slice((part - 1) * size, part * size);
      const data = { event_id: before, origin: 'b.example', part, parts, root, state };
      this.facts.push({ stream: `room-${ROOM}`, type: 'state-learnt', data });
    }
  }
}

const LEARNT_ENTRIES = Array.from(
  { length: 3 * MOST_ENTRIES },
  (_, i) => [MEMBER, `@learnt${i}:b.example`, `$learnt${i}` as EventId] as const,
);
const LEARNT = trieOf(LEARNT_ENTRIES.map(([type, stateKey, eventId]) => ({ type, stateKey, eventId })));

let told: Told;
let views: MemoryReadModels;
let graph: RoomGraph;

beforeEach(() => {
  told = new Told();
  views = new MemoryReadModels();
  graph = new RoomGraph(views, ROOM);
});

async function take(batch?: number): Promise<readonly RecordedFact[]> {
  const facts = recordFacts(told.facts);
  await applyFacts(graphProjector(createRoomFactReader()), facts, views, batch);
  return facts;
}

function lines(entries: Iterable<StateEntry>): string[] {
  return Array.from(entries, ({ type, stateKey, eventId }) => JSON.stringify([type, stateKey, eventId])).sort();
}

/** Looks whether the graph knows the state after an event, and before it, as the facts told it. */
async function check(eventId: EventId): Promise<void> {
  for (const [known, found] of [
    [told.after, await graph.findStateAfter(eventId)],
    [told.before, await graph.findStateBefore(eventId)],
  ] as const) {
    const expected = known.get(eventId)!;
    expect(lines(await found!.list())).toEqual(lines(expected.entries()));
    expect((await found!.findRoot()) ?? expected.rootHash).toBe(expected.rootHash);
    const some = [...expected.entries()].slice(-3);
    expect(await found!.findMany(some)).toEqual(some.map(({ eventId: id }) => id));
    expect(await found!.find('m.nothing', 'holds this')).toBeUndefined();
  }
}

describe('the graph of a room', () => {
  it('tells what became of an event, in this room alone', async () => {
    const create = told.event([], { type: 'm.room.create', key: '' });
    const failed = told.event([create], { fact: 'pdu-soft-failed' });
    const rejected = told.event([create], { fact: 'pdu-rejected', key: '@x:b.example' });
    told.outlier('$out' as EventId);
    told.outlier('$bad' as EventId, 'forged');
    const elsewhere = '!other:b.example' as RoomId;
    told.event([], { room: elsewhere, id: failed, fact: 'pdu-rejected', key: '' });
    const facts = await take();
    expect(await graph.findEvent(create)).toMatchObject({ outcome: 'accepted', revision: 0, depth: 1 });
    expect(await graph.findEvent(failed)).toMatchObject({ outcome: 'soft-failed', position: facts[1]!.position });
    expect(await graph.findEvent(rejected)).toMatchObject({ outcome: 'rejected' });
    expect(await graph.findEvent('$out' as EventId)).toMatchObject({ outcome: 'outlier', depth: 7, states: undefined });
    expect(await graph.findEvent('$bad' as EventId)).toMatchObject({ outcome: 'rejected-outlier' });
    expect(await graph.findEvent('$nowhere' as EventId)).toBeUndefined();
    expect(await graph.findStateAfter('$out' as EventId)).toBeUndefined();
    expect(await new RoomGraph(views, elsewhere).findEvent(failed)).toMatchObject({ outcome: 'rejected', revision: 0 });
    await Promise.all([create, rejected].map(check));
  });

  it('gives an outlier its place once that is known, and never takes it away', async () => {
    const create = told.event([], { type: 'm.room.create', key: '' });
    told.outlier('$late' as EventId);
    const late = told.event([create], { id: '$late' as EventId, key: '@late:b.example' });
    told.outlier(late);
    await take();
    expect(await graph.findEvent(late)).toMatchObject({ outcome: 'accepted', revision: 2 });
    await check(late);
  });

  it('keeps the states of forks apart, and knows what a merge was resolved to', async () => {
    const create = told.event([], { type: 'm.room.create', key: '' });
    const left = told.event([create], { type: 'm.room.topic', key: '' });
    const right = told.event([create], { type: 'm.room.topic', key: '' });
    const more = told.event([right], { key: '@more:a.example' });
    const topic = { type: 'm.room.topic', state_key: '' };
    const merge = told.event([more, left], { type: 'm.room.name', key: '', merged: [{ ...topic, event_id: left }] });
    const gone = told.event([merge, more], { merged: [{ ...topic, event_id: null }] });
    const said = told.event([gone]);
    await take();
    for (const eventId of told.after.keys()) await check(eventId);
    expect(await (await graph.findStateBefore(merge))?.find('m.room.topic')).toBe(left);
    expect(await (await graph.findStateAfter(said))?.find('m.room.topic')).toBeUndefined();
    // What changes nothing has the place of the state that it stands on.
    expect((await graph.findStateAfter(said))?.place).toEqual((await graph.findStateAfter(gone))?.place);
  });

  it('takes a state that was told from elsewhere, once all its parts are there', async () => {
    const first = '$first' as EventId;
    told.learnt(first, LEARNT_ENTRIES, 4);
    told.event(['$unknown' as EventId], { id: first, base: { learnt: first }, key: '@learnt1:b.example' });
    await take(1);
    await check(first);
    const torn = new Told();
    torn.learnt(first, LEARNT_ENTRIES, 4);
    torn.facts.pop();
    torn.event([], { id: first, base: { learnt: first } });
    const apply = applyFacts(graphProjector(createRoomFactReader()), recordFacts(torn.facts), new MemoryReadModels());
    await expect(apply).rejects.toThrow('which is not all there');
  });

  it('knows what held the key of an event before it, where the extremities of the room had different ones or none', async () => {
    const create = told.event([], { type: 'm.room.create', key: '' });
    const [left, right] = [0, 1].map(() => told.event([create], { type: 'm.room.topic', key: '' })) as [
      EventId,
      EventId,
    ];
    const none = told.event([create]);
    const topic = { type: 'm.room.topic', key: '' };
    const change = (eventId: EventId | null) => [{ type: 'm.room.topic', state_key: '', event_id: eventId }];
    for (const deletes of [false, true]) {
      told.event([left, right], { ...topic, merged: change(right), deletes });
      told.event([left, none], { ...topic, merged: change(null), deletes });
      told.event([none, right], { ...topic, merged: change(right), deletes });
    }
    await take();
    for (const eventId of told.after.keys()) await check(eventId);
  });

  it('knows what an event deleted', async () => {
    const create = told.event([], { type: 'm.room.create', key: '' });
    const topic = told.event([create], { type: 'm.room.topic', key: '' });
    const gone = told.event([topic], { type: 'm.room.topic', key: '', deletes: true });
    await take();
    await check(gone);
    expect(await (await graph.findStateBefore(gone))?.find('m.room.topic')).toBe(topic);
  });

  it('refuses an event that stands on a state nobody told', async () => {
    told.event(['$unknown' as EventId], { key: '@x:a.example' });
    await expect(take()).rejects.toThrow('the state after $unknown, which is not known');
  });

  it('keeps keys whatever they consist of', async () => {
    const keys = [
      '',
      ':',
      'a:b',
      'c:b',
      'd\\s',
      '\\\\s:b',
      'e\\:b',
      'f:b',
      '\r',
      'g\r',
      'h\r:b',
      'i:b\r',
      '\t',
      '\n',
      '\\t',
      'a\tb\n\\',
      '\\',
      '\u{1f600}',
    ];
    let last = told.event([], { type: 'm.room.create', key: '' });
    for (const key of keys) last = told.event([last], { type: `t${key}`, key });
    for (const key of keys) last = told.event([last], { type: '', key });
    await take();
    await check(last);
  });

  it('knows the state at any event of any history', async () => {
    for (let seed = 1; seed <= 4; seed++) {
      told = new Told();
      views = new MemoryReadModels();
      graph = new RoomGraph(views, ROOM);
      const random = numbersFrom(seed);
      const ends = [told.event([], { type: 'm.room.create', key: '' })];
      // One in two histories begins in a room with many buckets.
      if (seed % 2 === 0) {
        told.learnt('$joined' as EventId, LEARNT_ENTRIES, 3);
        ends[0] = told.event([ends[0]!], { id: '$joined' as EventId, base: { learnt: '$joined' as EventId } });
      }
      const users = seed % 2 === 0 ? 3 * MOST_ENTRIES : 40;
      for (let step = 0; step < 300; step++) {
        const prev = ends[ends.length - 1 - random(Math.min(ends.length, random(4) === 0 ? 60 : 3))]!;
        const key = random(3) === 0 ? undefined : `@learnt${random(users)}:b.example`;
        const other = ends[random(ends.length)]!;
        const theirs = [...told.after.get(other)!.entries()];
        const merged = random(6) > 0 ? [] : mergedFrom(theirs, random);
        const fact = ['pdu-accepted', 'pdu-accepted', 'pdu-soft-failed', 'pdu-rejected'][random(4)];
        const deletes = random(8) === 0;
        ends.push(told.event(merged.length > 0 ? [prev, other] : [prev], { key, merged, fact, deletes }));
      }
      await take(50);
      for (let i = 0; i < 60; i++) await check(ends[random(ends.length)]!);
    }
  });

  it('writes the same rows however its facts are batched and however often they are applied', async () => {
    let last = told.event([], { type: 'm.room.create', key: '' });
    const ends = [last];
    told.outlier('$out' as EventId);
    told.learnt('$j' as EventId, LEARNT_ENTRIES.slice(0, 20), 2);
    ends.push(told.event([last], { id: '$j' as EventId, base: { learnt: '$j' as EventId }, key: '@j:b.example' }));
    for (let i = 0; i < 2 * MOST_BEHIND; i++) {
      last = told.event([ends[i % 3 === 0 ? 0 : ends.length - 1]!], i % 4 === 0 ? {} : { key: `@${i}:a.example` });
      ends.push(last);
    }
    told.event([ends[4]!, last], { merged: [{ type: MEMBER, state_key: '@1:a.example', event_id: null }] });
    expect(Object.keys(await project(graphProjector(createRoomFactReader()), told.facts)).length).toBeGreaterThan(
      ends.length,
    );
  });

  it('costs a change of a large room a few rows, on whatever line it goes', async () => {
    told.learnt('$joined' as EventId, LEARNT_ENTRIES, 3);
    let end = told.event([], { id: '$joined' as EventId, base: { learnt: '$joined' as EventId } });
    for (let i = 0; i < 100; i++) {
      // Two on the same event: the second begins a line that leaves it, and the next go on from that.
      told.event([end], { key: `@fork${i}:a.example` });
      end = told.event([end], { key: `@learnt${i}:b.example` });
    }
    await take();
    await check(end);
    const rows = await rowsOf(graphProjector(createRoomFactReader()), views);
    const last = (await graph.findStateAfter(end))!.place;
    const written = Object.keys(rows).filter((key) => key.startsWith(`graph-state ${ROOM} ${last.line} `));
    expect(written.length).toBeLessThan(5);
    expect(JSON.stringify(written.map((key) => rows[key])).length).toBeLessThan(500);
  });

  it('tells one key of a large state without a look at what is on the way to its bucket', async () => {
    told.learnt('$joined' as EventId, LEARNT_ENTRIES, 3);
    const joined = told.event([], { id: '$joined' as EventId, base: { learnt: '$joined' as EventId } });
    const end = told.event([joined], { key: '@learnt7:b.example' });
    await take();
    let scans = 0;
    const counted = {
      get: views.get.bind(views),
      scan: (...asked: Parameters<typeof views.scan>) => (scans++, views.scan(...asked)),
    };
    const state = await new RoomGraph(counted, ROOM).findStateAfter(end);
    expect(await state!.find(MEMBER, '@learnt7:b.example')).toBe(end);
    expect(scans).toBe(1);
  });
});

function mergedFrom(theirs: readonly StateEntry[], random: (below: number) => number): StateChange[] {
  const some = Array.from({ length: 1 + random(60) }, () => theirs[random(theirs.length)]!);
  const changes = new Map(some.map((entry) => [stateKeyOf(entry.type, entry.stateKey), entry]));
  return [...changes.values()].map(({ type, stateKey, eventId }) => ({
    type,
    state_key: stateKey,
    event_id: random(5) === 0 ? null : eventId,
  }));
}
