import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { DeviceId, EventId, RoomId } from '#kernel/ids';
import { BatchRows } from '#projections/batch-rows';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import {
  type DelayedEventFact,
  type Delegation,
  type EventDelayed,
  textOfDelayed,
} from '../facts/delayed-event-facts.js';
import { DELAYED_EVENTS, delayedEventsProjector, DELEGATED_LEAVES } from '../projections/delayed-events.projector.js';
import { decideCancel, decideDelay, decideDelegation, decideEnd, decideRestart, LEAST_DELEGATED_MS, MOST_SCHEDULED, MOST_SCHEDULED_BYTES } from './decide-delays.js'; // prettier-ignore
import { ENDED_KEPT, ENDED_KEPT_MS, evolveDelays, findOverDelays, foldDelayFact, isTold, type KnownDelays, nameOfDelayFact, NO_DELAYS } from './known-delays.js'; // prettier-ignore

const ROOM = '!room:a.example' as RoomId;
const SENT = '$sent' as EventId;

const eventOf = (id: string, more: Partial<EventDelayed> = {}): EventDelayed => ({
  delay_id: id,
  room_id: ROOM,
  type: 'a.type',
  delay: 1_000,
  running_since: 0,
  content: '{}',
  ...more,
});

const fold = (facts: readonly DelayedEventFact[], before = NO_DELAYS): KnownDelays =>
  facts.reduce(evolveDelays, before);

const scheduled = (...events: EventDelayed[]): KnownDelays =>
  events.reduce((delays, event) => fold(decideDelay(delays, event), delays), NO_DELAYS);

const txn = (txnId: string): EventDelayed['txn'] => ({ device_id: 'PHONE' as DeviceId, txn_id: txnId });

describe('an event is scheduled', () => {
  it('once for a transaction, of one room and type', () => {
    const delays = scheduled(eventOf('a', { txn: txn('1') }));
    expect(decideDelay(delays, eventOf('b', { txn: txn('1') }))).toEqual([]);
    for (const other of [{ type: 'other' }, { room_id: '!other:a.example' as RoomId }, { txn: txn('2') }]) {
      expect(decideDelay(delays, eventOf('b', { txn: txn('1'), ...other }))).toHaveLength(1);
    }
    const ended = fold(decideCancel(delays, 'a', 1), delays);
    expect(decideDelay(ended, eventOf('b', { txn: txn('1'), running_since: 1 + ENDED_KEPT_MS }))).toEqual([]);
    expect(decideDelay(ended, eventOf('b', { txn: txn('1'), running_since: 2 + ENDED_KEPT_MS }))).toHaveLength(1);
  });

  it('unless too many wait, and it is told when the next of them goes', () => {
    const many = Array.from({ length: MOST_SCHEDULED }, (_, i) => eventOf(`${i}`, { delay: 60_000 + i }));
    const delays = scheduled(...many);
    const last = eventOf('last', { running_since: 10_000 });
    expect(() => decideDelay(delays, last)).toThrow(
      expect.objectContaining({ errcode: 'M_LIMIT_EXCEEDED', fields: { retry_after_ms: 50_000 } }),
    );
    expect(decideDelay(fold(decideCancel(delays, '7', 1), delays), last)).toHaveLength(1);
  });

  it('unless what waits is too large in all', () => {
    const content = JSON.stringify('x'.repeat(MOST_SCHEDULED_BYTES / 2));
    const delays = scheduled(eventOf('a', { content }));
    expect(() => decideDelay(delays, eventOf('b', { content }))).toThrow(
      expect.objectContaining({ errcode: 'M_LIMIT_EXCEEDED' }),
    );
  });
});

describe('a delayed event', () => {
  const delays = scheduled(eventOf('a', { content: '{"a":1}' }));
  const sent = fold(decideEnd(delays, 'a', { outcome: 'send', reason: 'delay', ended_at: 5, event_id: SENT }), delays);
  const cancelled = fold(decideCancel(delays, 'a', 5), delays);

  it('has its time counted anew, as long as it waits', () => {
    expect(fold(decideRestart(delays, 'a', 700), delays).get('a')!.event.running_since).toBe(700);
    for (const ended of [sent, cancelled]) {
      expect(() => decideRestart(ended, 'a', 700)).toThrow(expect.objectContaining({ status: 409 }));
    }
    expect(() => decideRestart(delays, 'b', 700)).toThrow(expect.objectContaining({ errcode: 'M_NOT_FOUND' }));
  });

  it('is cancelled once, and not where it was sent', () => {
    expect(decideCancel(cancelled, 'a', 6)).toEqual([]);
    expect(() => decideCancel(sent, 'a', 6)).toThrow(expect.objectContaining({ status: 409 }));
    expect(() => decideCancel(delays, 'b', 6)).toThrow(expect.objectContaining({ errcode: 'M_NOT_FOUND' }));
  });

  it('ends once, as it ended first', () => {
    for (const ended of [sent, cancelled]) {
      expect(decideEnd(ended, 'a', { outcome: 'error', reason: 'delay', ended_at: 9 })).toEqual([]);
    }
  });

  it('keeps its content where it was not sent, and not where the room has it', () => {
    expect([sent, cancelled].map((known) => known.get('a')!.event.content)).toEqual([undefined, '{"a":1}']);
  });

  it('keeps no more of contents that were not sent than may wait', () => {
    const content = JSON.stringify('x'.repeat(60_000));
    let known = NO_DELAYS;
    for (let i = 0; i < ENDED_KEPT; i++) {
      known = fold(decideDelay(known, eventOf(`${i}`, { content })), known);
      known = fold(i % 2 === 0 ? decideCancel(known, `${i}`, i) : decideEnd(known, `${i}`, { outcome: 'error', reason: 'delay', ended_at: i }), known); // prettier-ignore
    }
    const kept = [...known.values()].reduce((sum, { event }) => sum + (event.content?.length ?? 0), 0);
    expect([known.size, kept <= MOST_SCHEDULED_BYTES, kept > 0]).toEqual([ENDED_KEPT, true, true]);
  });

  it('stays known though another one ended by a clock that was years ahead', () => {
    const YEARS = 10 * 365 * 24 * 60 * 60_000;
    const both = fold([{ type: 'event-delayed', data: eventOf('b') }], cancelled);
    const after = fold(decideCancel(both, 'b', YEARS), both);
    expect([...after.keys()]).toEqual(['a', 'b']);
    const facts = [...after.values()].map(({ event, end }, i) =>
      record({ type: 'delay-ended', data: { delay_id: event.delay_id, ...end!, event } }, i),
    );
    const over = findOverDelays(new Map(facts.map((fact) => [nameOfDelayFact(fact), fact])));
    expect(over).toEqual(['a restarted', 'b restarted']);
  });

  it('stays known though so many ended before it by a clock that was years ahead, in the rows and behind what is said again, too', async () => {
    const YEARS = 10 * 365 * 24 * 60 * 60_000;
    const facts: RecordedFact[] = [];
    let known = NO_DELAYS;
    const say = (...said: DelayedEventFact[]): void => {
      for (const fact of said) facts.push(record(fact, facts.length));
      known = fold(said, known);
    };
    const late = { delay_id: 'early', outcome: 'cancel', reason: 'action', ended_at: 2 * YEARS } as const;
    say({ type: 'delay-ended', data: { ...late, event: eventOf('early') } }); // as they were written before
    const ids = Array.from({ length: ENDED_KEPT + 1 }, (_, i) => String(i));
    for (const [i, id] of ids.entries()) {
      say(...decideDelay(known, eventOf(id)));
      say(...decideCancel(known, id, i < ENDED_KEPT ? YEARS : 5));
    }
    expect([...known.keys()]).toEqual(ids.slice(1));
    expect([...(await rowsOf(facts)).waiting.keys()].toSorted()).toEqual(ids.slice(1).toSorted());
    const counting = new Map(facts.map((fact) => [nameOfDelayFact(fact), fact]));
    expect(findOverDelays(counting).filter((name) => !name.endsWith('restarted'))).toEqual(['0', 'early']);
    const { end } = known.get(ids.at(-1)!)!;
    expect(end).toMatchObject({ ended_at: 5, nth: ENDED_KEPT + 1 });
    const again = [...facts, ...facts.slice(0, 5)].map((fact) => ({ type: fact.type, data: fact.data }));
    expect(new Set(again.reduce(foldDelayFact, NO_DELAYS).keys())).toEqual(new Set(ids.slice(1)));
  });

  it('is gone with the account', () => {
    expect(fold([{ type: 'delayed-events-ended', data: {} }], delays)).toEqual(NO_DELAYS);
  });
});

/** What is done: with which of the events, how long after the one before it (clocks go back, too), and what. */
const step = fc.record({
  id: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 9 })).map(String),
  after: fc.oneof(fc.integer({ min: -2, max: 2 }), fc.constant(ENDED_KEPT_MS)),
  does: fc.constantFrom(
    'schedule',
    'schedule',
    'restart',
    'delegate',
    'delegate elsewhere',
    'cancel',
    'send',
    'refuse',
  ),
});
const steps = fc.oneof(
  fc.array(step, { maxLength: 60 }),
  // So many that end in few moments that not all are kept.
  fc.array(fc.integer({ min: -1, max: 1 }), { minLength: 95, maxLength: 130 }).map((afters) =>
    afters.flatMap((after, i) => [
      { id: String((i * 7) % 131), after: 0, does: 'schedule' as const },
      { id: String((i * 7) % 131), after, does: i % 3 === 0 ? ('cancel' as const) : ('send' as const) },
    ]),
  ),
);

/** Three memberships, for whichever events. */
const delegationOf = (id: string, since: number): Delegation => ({
  room: 'room',
  identity: String(Number(id) % 3),
  since,
});

function decided(delays: KnownDelays, { id, does }: { id: string; does: string }, now: number): DelayedEventFact[] {
  try {
    const event = eventOf(id, { running_since: now, delay: LEAST_DELEGATED_MS });
    if (does === 'schedule') return delays.has(id) ? [] : decideDelay(delays, event);
    if (does === 'delegate') return decideDelegation(delays, id, ROOM, delegationOf(id, now));
    if (does === 'delegate elsewhere')
      return decideDelegation(delays, id, ROOM, delegationOf(`${Number(id) + 1}`, now));
    if (does === 'restart') return decideRestart(delays, id, now);
    if (does === 'cancel') return decideCancel(delays, id, now);
    const end = does === 'send' ? ({ outcome: 'send', event_id: SENT } as const) : ({ outcome: 'error' } as const);
    return decideEnd(delays, id, { ...end, reason: 'delay', ended_at: now });
  } catch {
    return [];
  }
}

function record(fact: DelayedEventFact, revision: number): RecordedFact {
  return {
    id: `${revision}`,
    stream: 'delayed-@alice:a.example',
    type: fact.type,
    ...textOfDelayed(fact),
    revision,
    position: positionOf(revision + 1),
    metadata: { at: 0, actor: '@alice:a.example', schema: 1, chain: '' },
  };
}

/** Since when the time of each is counted, and whose it is in a call; and of whom in a call it is known which is theirs. */
interface Told {
  readonly waiting: Map<string, unknown>;
  readonly leaves: Map<string, string>;
}

async function rowsOf(facts: readonly RecordedFact[]): Promise<Told> {
  const store = new MemoryReadModels();
  const names = new Map(delayedEventsProjector.collections.map((name) => [name, name]));
  for (const fact of facts) {
    const rows = new BatchRows(store, names);
    await delayedEventsProjector.project(fact, rows);
    await store.write(rows.writes);
  }
  const all = new BatchRows(store, names);
  const rows = await DELAYED_EVENTS.scan(all, { limit: 10_000 });
  const leaves = await DELEGATED_LEAVES.scan(all, { limit: 10_000 });
  return {
    waiting: new Map(rows.map(({ key: [id], value }) => [id, [value.since, value.delegation]])),
    leaves: new Map(leaves.map(({ key: [, identity], value }) => [identity, value.delayId])),
  };
}

function toldBy(delays: KnownDelays): Told {
  const waiting = [...delays].map(([id, { event, end, delegation }]) => {
    return [id, end ? [undefined, undefined] : [event.running_since, delegation]] as const;
  });
  const leaves = [...delays].flatMap(([id, { delegation }]) =>
    delegation ? [[delegation.identity, id] as const] : [],
  );
  return { waiting: new Map(waiting), leaves: new Map(leaves) };
}

describe('whatever is scheduled, restarted, cancelled and sent, in whichever order', () => {
  it('the rows are of what the log says, and what goes from the log changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), async (done, place) => {
        let now = 1_000;
        let known = NO_DELAYS;
        const facts: RecordedFact[] = [];
        for (const one of done) {
          now += one.after;
          for (const fact of decided(known, one, now)) {
            facts.push(record(fact, facts.length));
            known = evolveDelays(known, fact);
          }
        }
        expect(await rowsOf(facts)).toEqual(toldBy(known));

        const counting = new Map<string, RecordedFact>();
        for (const fact of facts) {
          const name = nameOfDelayFact(fact);
          counting.delete(name);
          counting.set(name, fact);
        }
        const over: RecordedFact[] = [];
        for (const name of findOverDelays(counting)) {
          if (counting.has(name)) over.push(counting.get(name)!);
          counting.delete(name);
        }
        over.sort((a, b) => a.revision - b.revision);
        const told = (delays: KnownDelays): object => new Map([...delays].filter(([, delay]) => isTold(delay, now)));
        const kept = [...counting.values()];
        expect(told(kept.reduce(foldDelayFact, NO_DELAYS))).toEqual(told([...facts].reduce(foldDelayFact, NO_DELAYS)));
        expect(kept.length).toBeLessThanOrEqual(3 * MOST_SCHEDULED + ENDED_KEPT);
        // A crash may leave all of it behind what it was, and what is being filled as something goes has read any part of that.
        const read = facts.slice(0, place % (facts.length + 1));
        const ways = [
          [...facts, ...over, ...kept],
          [...facts, ...kept],
          [...read, ...over, ...kept],
        ];
        for (const way of ways) expect(await rowsOf(way)).toEqual(toldBy(way.reduce(foldDelayFact, NO_DELAYS)));
        expect(await rowsOf(ways[2]!)).toEqual(await rowsOf(kept));
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['the event was delegated anew, and then another one was of that membership', ['a 1', 'a 2', 'b 2']],
    ['another event was of its membership, and delegated anew then', ['a 1', 'b 1', 'b 2']],
  ])('a delegation stays over where %s', (_, delegations) => {
    const facts = [
      ...['a', 'b'].map((id): DelayedEventFact => ({ type: 'event-delayed', data: eventOf(id) })),
      ...delegations.map((each, i): DelayedEventFact => {
        const [id = '', to = ''] = each.split(' ');
        return { type: 'delay-delegated', data: { delay_id: id, ...delegationOf(to, i) } };
      }),
    ].map(record);
    const counting = new Map(facts.map((fact) => [nameOfDelayFact(fact), fact]));
    for (const name of findOverDelays(counting)) counting.delete(name);
    const known = [...counting.values()].reduce(foldDelayFact, NO_DELAYS);
    expect([...known].map(([id, { delegation }]) => [id, delegation?.identity])).toEqual([
      ['a', undefined],
      ['b', '2'],
    ]);
  });

  it('what is over takes away what a view has read of it, and of whose the call was before', async () => {
    const delegated = (id: string, since: number): DelayedEventFact => ({
      type: 'delay-delegated',
      data: { delay_id: id, ...delegationOf('0', since) },
    });
    const scheduledAs = (id: string): DelayedEventFact => ({ type: 'event-delayed', data: eventOf(id) });
    const before = [scheduledAs('b'), delegated('b', 1)].reduce(evolveDelays, NO_DELAYS);
    const both = [scheduledAs('a'), delegated('a', 2)].reduce(evolveDelays, before);
    const ends = decideCancel(both, 'a', 3);
    const read = [scheduledAs('b'), delegated('b', 1)].map(record);
    const again = [delegated('a', 2), scheduledAs('b'), ...ends].map((fact, i) => record(fact, 10 + i));
    expect(await rowsOf([...read, ...again])).toEqual(await rowsOf(again));
    // Of somebody else, who has been given the call since, it takes away nothing.
    const others = read.map((fact) => ({ ...fact, stream: 'delayed-@bob:a.example' }));
    expect((await rowsOf([...others, ...again])).leaves).toEqual((await rowsOf(others)).leaves);
  });
});
