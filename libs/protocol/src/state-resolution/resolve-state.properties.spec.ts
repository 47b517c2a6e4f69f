import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventId } from '#kernel/ids';
import { atOnce } from '#kernel/steps';
import { ALICE, BOB, CAROL, CREATE_ID, DAVE, member, versionOf, type EventDraft } from '../../test/hand-made-events.js';
import { HandMadeRoom } from '../../test/hand-made-room.js';
import type { RoomEvent } from '../room-event.js';
import type { StateTrie } from '../state-trie/state-trie.js';
import { findAuthDifference } from './auth-difference.js';
import { findConflictedSubgraph } from './conflicted-subgraph.js';
import { isPowerEvent, selectPowerEvents, sortByPower } from './power-sort.js';
import { eventIdsOf, splitConflicted } from './split-conflicted.js';

const USERS = [ALICE, BOB, CAROL, DAVE];

/** One attempt of somebody to do something somewhere in the graph. */
interface Attempt {
  readonly what: 'join' | 'leave' | 'ban' | 'invite' | 'levels' | 'rule' | 'topic';
  readonly sender: number;
  readonly target: number;
  readonly value: number;
  readonly ts: number;
  /** Which events it follows, counted from the latest. */
  readonly prev: readonly number[];
}

const attempts: fc.Arbitrary<Attempt[]> = fc.array(
  fc.record({
    what: fc.constantFrom('join', 'leave', 'ban', 'invite', 'levels', 'levels', 'rule', 'topic', 'topic'),
    sender: fc.constantFrom(0, 0, 1, 1, 2, 3),
    target: fc.nat(3),
    value: fc.constantFrom(0, 50, 50, 100),
    ts: fc.nat(4),
    prev: fc.uniqueArray(fc.nat(6), { minLength: 1, maxLength: 3 }),
  }) satisfies fc.Arbitrary<Attempt>,
  { minLength: 5, maxLength: 30 },
);

function draftOf({ what, sender: from, target: to, value }: Attempt, room: HandMadeRoom, prev: string[]): EventDraft {
  const sender = USERS[from] as string;
  const target = USERS[to] as string;
  switch (what) {
    case 'join':
      return member(sender, 'join', { sender });
    case 'leave':
    case 'ban':
    case 'invite':
      return member(target, what, { sender });
    case 'levels': {
      const id = room.stateBefore(prev).get('m.room.power_levels', '');
      const users = (id === undefined ? undefined : room.get(id)?.content.users) as Record<string, number> | undefined;
      return { type: 'm.room.power_levels', stateKey: '', sender, content: { users: { ...users, [target]: value } } };
    }
    case 'rule':
      return {
        type: 'm.room.join_rules',
        stateKey: '',
        sender,
        content: { join_rule: value > 0 ? 'public' : 'invite' },
      };
    case 'topic':
      return { type: 'm.room.topic', stateKey: '', sender };
  }
}

/** A room in which all attempts were made, and those that the rules allow have become events. */
function roomOf(list: readonly Attempt[], id: string): HandMadeRoom {
  const version = versionOf(id);
  const room = HandMadeRoom.created(version);
  const users = version.privilegedCreators ? {} : { [ALICE]: 100 };
  room.send({ type: 'm.room.power_levels', stateKey: '', content: { users }, id: '$levels', prev: ['$alice'] });
  const rule = { type: 'm.room.join_rules', stateKey: '', content: { join_rule: 'public' } };
  room.send({ ...rule, id: '$rule', prev: ['$levels'] });
  room.send(member(BOB, 'join', { id: '$bob', prev: ['$rule'] }));
  list.forEach((attempt, i) => {
    const ids = room.events.slice(2).map(({ eventId }) => eventId);
    const prev = attempt.prev.map((back) => ids[Math.max(0, ids.length - 1 - back)] as string);
    const draft = draftOf(attempt, room, [...new Set(prev)]);
    // Ids whose order is not that of sending.
    room.trySend({ ...draft, id: `$${(i * 37) % 101}:x`, prev: [...new Set(prev)], ts: attempt.ts });
  });
  return room;
}

/** The same events received by another server in another order, each after its previous events. */
function receivedElsewhere(room: HandMadeRoom, random: () => number): HandMadeRoom {
  const other = new HandMadeRoom(room.version);
  const waiting = [...room.events];
  while (waiting.length > 0) {
    const ready = waiting.filter((event) => event.prevEvents.every((id) => other.get(id) !== undefined));
    const event = ready[random() % ready.length] as RoomEvent;
    waiting.splice(waiting.indexOf(event), 1);
    other.receive({
      ...event,
      prevEvents: shuffle(event.prevEvents, random),
      authEvents: shuffle(event.authEvents, random),
    });
  }
  return other;
}

function shuffle<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

const randomness = fc.infiniteStream(fc.nat(1_000_000)).map((stream) => () => stream.next().value as number);

function chainOf(start: Iterable<EventId>, room: HandMadeRoom): Set<EventId> {
  const chain = new Set<EventId>(start);
  for (const id of chain) for (const each of room.get(id)?.authEvents ?? []) chain.add(each);
  return chain;
}

function someStates(room: HandMadeRoom, random: () => number): [StateTrie, ...StateTrie[]] {
  const pick = () => room.stateAfter((room.events[1 + (random() % (room.events.length - 1))] as RoomEvent).eventId);
  return [pick(), pick(), pick()];
}

describe.each(['1', '2', '11', '12'])('state resolution of room version %s', (id) => {
  it('does not depend on the order of the states, or on how often each is given', () => {
    fc.assert(
      fc.property(attempts, randomness, (list, random) => {
        const room = roomOf(list, id);
        const states = someStates(room, random);
        const root = room.resolve(states).rootHash;
        expect(room.resolve(shuffle(states, random)).rootHash).toBe(root);
        expect(room.resolve([...shuffle(states, random), ...states]).rootHash).toBe(root);
      }),
    );
  });

  it('does not depend on the order in which events arrive', () => {
    fc.assert(
      fc.property(attempts, randomness, (list, random) => {
        const room = roomOf(list, id);
        const other = receivedElsewhere(room, random);
        for (const { eventId } of room.events) {
          expect(other.stateAfter(eventId).rootHash).toBe(room.stateAfter(eventId).rootHash);
        }
      }),
    );
  });

  it('keeps what all states agree on', () => {
    fc.assert(
      fc.property(attempts, randomness, (list, random) => {
        const room = roomOf(list, id);
        const states = someStates(room, random);
        const resolved = room.resolve(states);
        for (const { type, stateKey, eventId } of states[0].entries()) {
          if (!states.every((state) => state.get(type, stateKey) === eventId)) continue;
          expect(resolved.get(type, stateKey)).toBe(eventId);
        }
        expect(resolved.get('m.room.create', '')).toBe(CREATE_ID);
      }),
    );
  });
});

describe('the full conflicted set', () => {
  it('holds the same auth difference as comparing whole auth chains', () => {
    fc.assert(
      fc.property(attempts, randomness, (list, random) => {
        const room = roomOf(list, '11');
        const states = someStates(room, random);
        const split = atOnce(splitConflicted(states));
        const conflicted = split.conflicts.flatMap(eventIdsOf);
        const chains = states.map((state) =>
          chainOf(
            [...state.entries()].map(({ eventId }) => eventId),
            room,
          ),
        );
        const all = new Set(chains.flatMap((chain) => [...chain]));
        const difference = [...all].filter((each) => !chains.every((chain) => chain.has(each)));
        expect(new Set([...conflicted, ...atOnce(findAuthDifference(split, room))])).toEqual(
          new Set([...conflicted, ...difference]),
        );
      }),
    );
  });

  it('holds the same subgraph as trying all pairs', () => {
    fc.assert(
      fc.property(attempts, randomness, (list, random) => {
        const room = roomOf(list, '12');
        const conflicted = new Set(atOnce(splitConflicted(someStates(room, random))).conflicts.flatMap(eventIdsOf));
        const between = room.events
          .map(({ eventId }) => eventId)
          .filter((each) => {
            const below = chainOf([each], room);
            below.delete(each);
            const isBelowOne = [...conflicted].some((from) => chainOf([from], room).has(each));
            return isBelowOne && [...conflicted].some((to) => below.has(to));
          });
        expect(atOnce(findConflictedSubgraph(conflicted, room))).toEqual(new Set(between));
      }),
    );
  });
});

describe('the power ordering', () => {
  it('takes, of the events whose auth events are all taken, the smallest each time', () => {
    fc.assert(
      fc.property(attempts, (list) => {
        const room = roomOf(list, '11');
        const selected = new Map(room.events.map((event) => [event.eventId, event]));
        const sorted = sortByPower(selected, room.version, room, undefined).map(({ eventId }) => eventId);
        const expected: EventId[] = [];
        const left = new Set(room.events);
        while (left.size > 0) {
          const ready = [...left].filter(({ authEvents }) => authEvents.every((each) => expected.includes(each)));
          const next = ready.sort((a, b) => comparePower(a, b, room))[0] as RoomEvent;
          expected.push(next.eventId);
          left.delete(next);
        }
        expect(sorted).toEqual(expected);
      }),
    );
  });

  it('is of all power events and their auth chains', () => {
    fc.assert(
      fc.property(attempts, (list) => {
        const room = roomOf(list, '11');
        const selected = selectPowerEvents(new Map(room.events.map((event) => [event.eventId, event])));
        const power = room.events.filter(isPowerEvent).map(({ eventId }) => eventId);
        expect(new Set(selected.keys())).toEqual(chainOf(power, room));
      }),
    );
  });
});

/** The comparison in the words of the specification: greater power, then earlier, then the lower id. */
function comparePower(a: RoomEvent, b: RoomEvent, room: HandMadeRoom): number {
  const levelOf = ({ sender, authEvents }: RoomEvent) => {
    const events = authEvents.map((each) => room.get(each));
    const users = events.find((each) => each?.type === 'm.room.power_levels')?.content.users as Record<string, number>;
    if (users !== undefined) return users[sender] ?? 0;
    return events.some((each) => each?.type === 'm.room.create' && each.sender === sender) ? 100 : 0;
  };
  return levelOf(b) - levelOf(a) || a.originServerTs - b.originServerTs || (a.eventId < b.eventId ? -1 : 1);
}
