import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventId } from '#kernel/ids';
import { ALICE, BOB, CAROL, member, versionOf } from '../../test/hand-made-events.js';
import { HandMadeRoom } from '../../test/hand-made-room.js';
import type { RoomEvent } from '../room-event.js';
import type { StateTrie } from '../state-trie/state-trie.js';

const version = versionOf('dev.annals.12.deletion');
const TYPES = ['m.room.topic', 'm.room.name'];

/** One attempt to set a key, to delete it, or to shake what it is authorised by. */
interface Attempt {
  readonly what: 'set' | 'delete' | 'levels' | 'ban' | 'join';
  readonly type: string;
  readonly sender: string;
  readonly level: number;
  readonly ts: number;
  /** Which events it follows, counted from the latest. */
  readonly prev: readonly number[];
}

function attempts(...what: Attempt['what'][]): fc.Arbitrary<Attempt[]> {
  const attempt: fc.Arbitrary<Attempt> = fc.record({
    what: fc.constantFrom(...what),
    type: fc.constantFrom(...TYPES),
    sender: fc.constantFrom(ALICE, BOB, BOB),
    level: fc.constantFrom(0, 50, 100),
    ts: fc.nat(4),
    prev: fc.uniqueArray(fc.nat(6), { minLength: 1, maxLength: 3 }),
  });
  return fc.array(attempt, { minLength: 5, maxLength: 30 });
}

/** People come and go, levels change. */
const stormy = attempts('set', 'set', 'set', 'delete', 'delete', 'levels', 'ban', 'join');
/** Alice and Bob may do what they do all along. */
const calm = attempts('set', 'delete');

function draftOf({ what, type, sender, level }: Attempt) {
  switch (what) {
    case 'set':
      return { type, stateKey: '', sender };
    case 'delete':
      return { type, stateKey: '', sender, content: { 'dev.annals.deleted': true } };
    case 'levels':
      return { type: 'm.room.power_levels', stateKey: '', sender, content: { users: { [BOB]: level } } };
    case 'ban':
      return member(BOB, 'ban', { sender: ALICE });
    case 'join':
      return level === 0 ? member(BOB, 'leave', { sender: ALICE }) : member(BOB, 'join');
  }
}

/** A room in which all attempts were made, and those that the rules allow have become events. */
function roomOf(list: readonly Attempt[]): HandMadeRoom {
  const room = HandMadeRoom.created(version);
  const set = (type: string, content: object, id: string, prev: string) =>
    room.send({ type, stateKey: '', content: content as RoomEvent['content'], id, prev: [prev] });
  set('m.room.power_levels', { users: { [BOB]: 50 } }, '$levels', '$alice');
  set('m.room.join_rules', { join_rule: 'public' }, '$rule', '$levels');
  room.send(member(BOB, 'join', { id: '$bob', prev: ['$rule'] }));
  room.send(member(CAROL, 'join', { id: '$carol', prev: ['$bob'] }));
  for (const [i, attempt] of list.entries()) {
    const ids = room.events.slice(5).map(({ eventId }) => eventId as string);
    const prev = new Set(attempt.prev.map((back) => ids[ids.length - 1 - back] ?? '$carol'));
    // Ids whose order is not that of sending.
    room.trySend({ ...draftOf(attempt), id: `$${(i * 37) % 101}:x`, prev: [...prev], ts: attempt.ts });
  }
  return room;
}

const randomness = fc.infiniteStream(fc.nat(1_000_000)).map((stream) => () => stream.next().value as number);

function someStates(room: HandMadeRoom, random: () => number): [StateTrie, StateTrie, StateTrie] {
  const pick = () => room.stateAfter((room.events[4 + (random() % (room.events.length - 4))] as RoomEvent).eventId);
  return [pick(), pick(), pick()];
}

function shuffle<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** The same events received by another server in another order, each after its previous events. */
function receivedElsewhere(room: HandMadeRoom, random: () => number): HandMadeRoom {
  const other = new HandMadeRoom(room.version);
  const waiting = [...room.events];
  while (waiting.length > 0) {
    const ready = waiting.filter((event) => event.prevEvents.every((id) => other.get(id) !== undefined));
    const event = ready[random() % ready.length] as RoomEvent;
    waiting.splice(waiting.indexOf(event), 1);
    other.receive({ ...event, prevEvents: shuffle(event.prevEvents, random) });
  }
  return other;
}

/** The events that a state has at the keys that are set and deleted here. */
const held = (state: StateTrie) => TYPES.map((type) => state.get(type, ''));

describe('state resolution where state can be deleted', () => {
  it('depends neither on the order of the states nor on that in which events arrive', () => {
    fc.assert(
      fc.property(stormy, randomness, (list, random) => {
        const room = roomOf(list);
        const states = someStates(room, random);
        const root = room.resolve(states).rootHash;
        expect(room.resolve(shuffle(states, random)).rootHash).toBe(root);
        expect(room.resolve([...shuffle(states, random), ...states]).rootHash).toBe(root);
        const other = receivedElsewhere(room, random);
        for (const { eventId } of room.events) {
          expect(other.stateAfter(eventId).rootHash).toBe(room.stateAfter(eventId).rootHash);
        }
      }),
    );
  });

  it('is transitive: of three states it is one whichever two are resolved first', () => {
    fc.assert(
      fc.property(calm, randomness, (list, random) => {
        const room = roomOf(list);
        const [a, b, c] = someStates(room, random);
        const all = room.resolve([a, b, c]).rootHash;
        expect(room.resolve([room.resolve([a, b]), c]).rootHash).toBe(all);
        expect(room.resolve([a, room.resolve([b, c])]).rootHash).toBe(all);
      }),
    );
  });

  it('lets what is deleted in one state lose against what any other has there', () => {
    fc.assert(
      fc.property(calm, randomness, (list, random) => {
        const room = roomOf(list);
        const [a, b] = someStates(room, random);
        const resolved = held(room.resolve([a, b]));
        for (const [i, [one, two]] of held(a)
          .map((id, n) => [id, held(b)[n]] as const)
          .entries()) {
          if (one === undefined || two === undefined) expect(resolved[i]).toBe(one ?? two);
          else expect([one, two]).toContain(resolved[i]);
        }
      }),
    );
  });

  it('lets no deletion hold a key, even where a state names it', () => {
    fc.assert(
      fc.property(stormy, randomness, (list, random) => {
        const room = roomOf(list);
        const deletions = room.events.filter(({ content }) => content['dev.annals.deleted'] === true);
        for (const state of someStates(room, random)) {
          for (const { eventId } of state.entries())
            expect(deletions.map((each) => each.eventId)).not.toContain(eventId);
          const [named] = deletions;
          if (named === undefined) continue;
          const wrong = state.set(named.type, '', named.eventId);
          // What the state has there is authorised anew: it may be refused, but not for the deletion.
          expect([state.get(named.type, ''), undefined]).toContain(room.resolve([state, wrong]).get(named.type, ''));
        }
      }),
    );
  });

  it('lets the key be set again, by events that do not know of its deletion and by those that do', () => {
    const room = roomOf([]);
    const topic = { type: 'm.room.topic', stateKey: '' };
    const deletion = { ...topic, content: { 'dev.annals.deleted': true } };
    const topicAfter = (...ids: string[]) => room.stateBefore(ids).get('m.room.topic', '') as EventId | undefined;
    room.send({ ...topic, id: '$one', prev: ['$carol'], ts: 1 });
    room.send({ ...deletion, id: '$gone', prev: ['$one'], ts: 2 });
    expect(topicAfter('$gone')).toBeUndefined();
    room.send({ ...topic, id: '$beside', sender: BOB, prev: ['$one'], ts: 0 });
    expect(topicAfter('$gone', '$beside')).toBe('$beside');
    // What went on without the deletion has what it deleted, and wins.
    room.send({ type: 'm.room.message', id: '$hello', prev: ['$one'], ts: 3 });
    expect(topicAfter('$gone', '$hello')).toBe('$one');
    // Whoever knows of both may delete it again, and then it is gone.
    room.send({ ...deletion, id: '$again', prev: ['$gone', '$hello'], ts: 4 });
    expect(topicAfter('$again')).toBeUndefined();
    room.send({ ...topic, id: '$new', prev: ['$again'], ts: 5 });
    expect(topicAfter('$new')).toBe('$new');
  });
});
