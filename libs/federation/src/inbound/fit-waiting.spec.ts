import { describe, expect, it } from 'vitest';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { type NewWaitingPdu, type Waiting, waitingKey } from '../facts/inbound-facts.js';
import { type Fit, fitWaiting } from './fit-waiting.js';

const B = 'b.example' as ServerName;
const C = 'c.example' as ServerName;

/** What waits, as it comes to be by what is fitted into it. */
class Place {
  waiting: Waiting = new Map();

  add(pdus: readonly NewWaitingPdu[], origin = B): Fit {
    const fit = fitWaiting(this.waiting, origin, pdus);
    const next = new Map(this.waiting);
    for (const pdu of fit.fitting) next.set(waitingKey(pdu), { ...pdu, at: 0 });
    for (const pdu of fit.givingWay) next.delete(waitingKey(pdu));
    this.waiting = next;
    return fit;
  }

  /** In transactions of fifty. Answers how many are refused. */
  addAll(pdus: readonly NewWaitingPdu[], origin = B): number {
    let refused = pdus.length;
    for (let at = 0; at < pdus.length; at += 50) {
      const some = pdus.slice(at, at + 50);
      const { givingWay } = this.add(some, origin);
      const taken = new Set([...this.waiting.keys(), ...givingWay.map(waitingKey)]);
      refused -= some.filter((pdu) => taken.has(waitingKey(pdu))).length;
    }
    return refused;
  }

  numbers(room = 'r', origin = B): number[] {
    const own = [...this.waiting.values()].filter((pdu) => pdu.origin === origin && pdu.roomId === roomOf(room));
    return own.map(({ eventId }) => Number(eventId.slice(2)));
  }
}

const roomOf = (room: string): RoomId => `!${room}:b.example` as RoomId;
const idOf = (n: number): EventId => `$e${n}` as EventId;

function event(n: number, parents: readonly number[], more: Partial<NewWaitingPdu> = {}): NewWaitingPdu {
  return {
    roomId: roomOf('r'),
    eventId: idOf(n),
    origin: B,
    parents: parents.map(idOf),
    text: '{}',
    ...more,
  };
}

/** Each stands on the one before. */
function chain(count: number, more: Partial<NewWaitingPdu> = {}, from = 0): NewWaitingPdu[] {
  return Array.from({ length: count }, (_, i) => event(from + i, [from + i - 1], more));
}

/** The most that gave way between two that wait, in a chain that is to begin at 0. */
function widest(numbers: readonly number[]): number {
  return Math.max(...numbers.map((n, i) => n - (numbers[i - 1] ?? -1) - 1));
}

describe('a burst of one server', () => {
  it.each([501, 600, 5_000])(
    'of %i events is taken whole: none is further from the one before than is fetched at once',
    (count) => {
      const place = new Place();
      expect(place.addAll(chain(count))).toBe(0);
      const numbers = place.numbers();
      expect(numbers.length).toBeLessThanOrEqual(500);
      expect(numbers.at(-1)).toBe(count - 1);
      expect(widest(numbers)).toBeLessThan(100);
    },
  );

  it('is refused in the end where it goes on and on, and what waits stays so', () => {
    const place = new Place();
    const text = `{"a":"${'x'.repeat(60_000)}"}`;
    expect(place.addAll(chain(6_000, { text }))).toBeGreaterThan(1_000);
    expect(place.numbers().length).toBeLessThan(140);
    expect(widest(place.numbers())).toBeLessThan(100);
  });

  it('is taken also where it is as much text as may be long before it is many events', () => {
    const place = new Place();
    const text = `{"a":"${'x'.repeat(60_000)}"}`;
    expect(place.addAll(chain(1_000, { text }))).toBe(0);
    const numbers = place.numbers();
    expect(numbers.length * text.length).toBeLessThan(8 * 1024 * 1024);
    expect(numbers.at(-1)).toBe(999);
    expect(widest(numbers)).toBeLessThan(100);
  });

  it('may fork and come together', () => {
    const place = new Place();
    const parentsOf = (i: number): number[] => (i % 10 === 9 ? [i - 1, i - 2] : [i % 10 === 8 ? i - 2 : i - 1]);
    const events = Array.from({ length: 2_000 }, (_, i) => event(i, parentsOf(i)));
    expect(place.addAll(events)).toBe(0);
    expect(place.numbers().at(-1)).toBe(1_999);
    expect(widest(place.numbers())).toBeLessThan(100);
  });

  it('may go to and fro between servers, of which each stands on what the other said', () => {
    const place = new Place();
    let refused = 0;
    for (let i = 0; i < 2_000; i += 2) {
      refused += place.addAll([event(i, [i - 1])]);
      refused += place.addAll([event(i + 1, [i], { origin: C })], C);
    }
    expect(refused).toBe(0);
    const numbers = [...place.numbers(), ...place.numbers('r', C)].toSorted((a, b) => a - b);
    expect(numbers.slice(-2)).toEqual([1_998, 1_999]);
    expect(widest(numbers)).toBeLessThan(200);
  });

  it('says nothing of those that came before in the same transaction and gave way, but that they did', () => {
    const place = new Place();
    place.addAll(chain(500));
    const { fitting, givingWay, isCrowded } = place.add(chain(50, {}, 500));
    expect(fitting.map(({ eventId, standsFor }) => [eventId, standsFor])).toEqual([
      [idOf(541), 50],
      [idOf(549), 7],
    ]);
    const gave = new Set(givingWay.map(({ eventId }) => eventId));
    expect(gave).toEqual(
      new Set(
        [...Array(41).keys()]
          .map((i) => idOf(500 + i))
          .concat(
            [...Array(7).keys()].map((i) => idOf(542 + i)),
            idOf(499),
          ),
      ),
    );
    expect(isCrowded).toBe(false);
  });

  it('makes room for what comes in other rooms, by one event between two others each', () => {
    const place = new Place();
    place.addAll(chain(490));
    const rooms = Array.from({ length: 200 }, (_, i) => event(i, [], { roomId: roomOf(`other${i}`) }));
    expect(place.addAll(rooms)).toBe(0);
    expect(place.numbers()).toHaveLength(300);
    expect(widest(place.numbers())).toBe(1);
  });
});

describe('events of which none stands on another', () => {
  it('are refused once there are as many as may be', () => {
    const place = new Place();
    const lone = Array.from({ length: 600 }, (_, i) => event(i, []));
    expect(place.addAll(lone)).toBe(100);
    expect(place.numbers()).toHaveLength(500);
  });

  it('give way to none that names itself, one of another room, or one of another host', () => {
    const place = new Place();
    place.addAll(Array.from({ length: 500 }, (_, i) => event(i, [])));
    expect(place.addAll([event(900, [900]), event(901, [1], { roomId: roomOf('other') })])).toBe(2);
    expect(place.addAll([event(902, [1], { origin: C })], C)).toBe(0);
    expect(place.numbers()).toHaveLength(500);
    expect(place.numbers('r', C)).toEqual([902]);
  });
});

it('nothing of a host gives way to what another sends, however much that is', () => {
  const place = new Place();
  place.addAll(chain(300));
  place.addAll(chain(1_500, { origin: C }, 1_000), C);
  expect(place.numbers()).toHaveLength(300);
  const ofOther = place.numbers('r', C);
  expect(ofOther.length).toBeLessThan(500);
  expect(ofOther.at(-1)).toBe(2_499);
});

it('nothing of a server gives way to what another one of its host sends', () => {
  const place = new Place();
  const port = 'b.example:8449' as ServerName;
  place.addAll(chain(480));
  place.addAll(chain(40, { origin: port }, 480), port);
  expect(place.numbers()).toHaveLength(480);
  expect(place.numbers('r', port).at(-1)).toBe(519);
});

it('nothing gives way of which it is not known what it stands on, as what is of another server: that may have been told that it is taken', () => {
  const place = new Place();
  place.addAll(Array.from({ length: 495 }, (_, i) => event(i, [], { roomId: roomOf(`other${i}`) })));
  const { parents: _, ...ofAnother } = event(0, [-1]);
  place.addAll([ofAnother, ...chain(20, {}, 1)]);
  expect(place.numbers()).toEqual([0, 20]);
});

it('how much is looked at grows with what waits and with what comes, and not with both at once', () => {
  let looks = 0;
  const place = new Place();
  place.addAll(chain(490));
  for (const pdu of place.waiting.values()) {
    const { parents } = pdu;
    Object.defineProperty(pdu, 'parents', { get: () => (looks++, parents) });
  }
  const lone = Array.from({ length: 50 }, (_, i) => event(i, [], { roomId: roomOf(`other${i}`) }));
  expect(fitWaiting(place.waiting, B, lone).fitting).toHaveLength(50);
  expect(looks).toBeLessThan(3_000);
});

it('an event that comes again takes no place twice', () => {
  const place = new Place();
  place.addAll(chain(550));
  const before = place.waiting;
  expect(place.add([event(549, [548]), event(100, [99])])).toMatchObject({
    fitting: [],
    givingWay: [],
  });
  expect(place.waiting).toEqual(before);
});
