import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TodaysEventStore } from '#event-store/todays-event-store';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { createLogger } from '#observability/logger';
import { Metrics } from '#observability/metrics';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { NewWaitingPdu, PduSettled, WaitingPdu } from '../facts/inbound-facts.js';
import type { Settlement } from '../fetching/event-fetching.js';
import { InboundLog } from './inbound-log.js';
import { InboundQueue } from './inbound-queue.js';
import type { RoomsHere } from './rooms-here.js';

const ORIGIN = 'b.example' as ServerName;
const HOUR_MS = 3_600_000;

let store: MemoryEventStore;
let queue: InboundQueue;
let tried: string[];
let answer: (one: WaitingPdu) => Promise<Settlement>;
let awake: (server: ServerName) => void;
let settled: (roomId: RoomId) => void;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'] });
  store = new MemoryEventStore();
  tried = [];
  answer = async () => ({ kind: 'waits', reason: 'Nobody has its parents' });
  queue = await start();
});
afterEach(() => {
  queue.onModuleDestroy();
  vi.useRealTimers();
});

async function start(): Promise<InboundQueue> {
  const clock = { now: () => Date.now(), elapsed: () => performance.now() };
  const log = new InboundLog(new TodaysEventStore(store, FACT_SHAPES, ROOM_PARTS), clock, new Metrics(), {
    note: () => {},
  });
  const fetching = {
    receive: async (one: WaitingPdu) => {
      tried.push(one.eventId);
      return answer(one);
    },
  };
  const rooms = { onSettled: (listener) => void (settled = listener) } as Pick<RoomsHere, 'onSettled'> as RoomsHere;
  const peers = {
    onAwake: (listener: (server: ServerName) => void) => {
      awake = listener;
      return () => {};
    },
  };
  const made = new InboundQueue(log, fetching, rooms, peers, clock, await createLogger('silent'));
  made.onApplicationBootstrap();
  return made;
}

function pdu(name: string, room = 'room', origin = ORIGIN): NewWaitingPdu {
  return { roomId: `!${room}:b.example` as RoomId, eventId: `$${name}` as EventId, origin, text: '{}' };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

function reasonsSettled(): (string | undefined)[] {
  const facts = store.facts.filter(({ type }) => type === 'pdu-settled');
  return facts.map(({ data }) => (JSON.parse(data) as PduSettled).reason);
}

describe('the inbound queue', () => {
  it('tries an event ever more rarely, and gives it up in the end, with the reason', async () => {
    await queue.add(ORIGIN, [pdu('lost')]);
    await pass(0);
    expect(tried).toHaveLength(1);
    await pass(60_000);
    expect(tried).toHaveLength(4);
    await pass(HOUR_MS);
    expect(tried.length).toBeLessThan(12);
    await pass(12 * HOUR_MS);
    expect(tried).toHaveLength(16);
    expect(reasonsSettled()).toEqual(['Nobody has its parents']);
  });

  it('counts no try while the log or the views are away, or what became of it cannot be written', async () => {
    answer = () => Promise.reject(new ViewsUnavailable('gone'));
    await queue.add(ORIGIN, [pdu('one')]);
    await pass(10 * 60_000);
    expect(tried.length).toBeGreaterThan(100);
    answer = async () => ({ kind: 'settled' });
    const append = store.append.bind(store);
    store.append = () => Promise.reject(new TypeError('a mistake'));
    tried = [];
    await pass(60_000);
    expect(tried.length).toBeLessThan(15);
    store.append = append;
    await pass(10_000);
    expect(reasonsSettled()).toEqual([undefined]);
  });

  it('tries what a server sent when that is heard from, and a room when it has come, but not again and again', async () => {
    await queue.add(ORIGIN, [pdu('one')]);
    await queue.add('c.example' as ServerName, [pdu('two', 'other', 'c.example' as ServerName)]);
    await pass(10 * 60_000);
    tried = [];
    awake(ORIGIN);
    awake(ORIGIN);
    await pass(0);
    expect(tried).toEqual(['$one']);
    awake(ORIGIN);
    settled(pdu('two', 'other').roomId);
    await pass(0);
    expect(tried).toEqual(['$one', '$two']);
  });

  it('does not give an event up sooner because its server is heard from all the time', async () => {
    await queue.add(ORIGIN, [pdu('lost')]);
    for (let i = 0; i < 6 * 120; i++) {
      awake(ORIGIN);
      await pass(30_000);
    }
    expect(reasonsSettled()).toEqual([]);
    expect(tried.length).toBeLessThan(100);
    for (let i = 0; i < 6 * 120; i++) {
      awake(ORIGIN);
      await pass(30_000);
    }
    expect(reasonsSettled()).toEqual(['Nobody has its parents']);
  });

  it('tries what the servers sent to a room in turn, the oldest of each first', async () => {
    const C = 'c.example' as ServerName;
    answer = () => new Promise((resolve) => setTimeout(() => resolve({ kind: 'waits', reason: 'slow' }), 60_000));
    await queue.add(ORIGIN, [pdu('slow1'), pdu('slow2'), pdu('slow3')]);
    await queue.add(C, [pdu('quick1', 'room', C), pdu('quick2', 'room', C)]);
    await pass(4 * 60_000);
    expect(tried).toEqual(['$slow1', '$quick1', '$slow2', '$quick2', '$slow3']);
  });

  it('lets no room wait for another, nor a server for another', async () => {
    answer = () => new Promise(() => {});
    const slow = Array.from({ length: 20 }, (_, i) => pdu(`slow${i}`, `room${i}`));
    await queue.add(ORIGIN, slow);
    await pass(0);
    expect(tried).toHaveLength(8);
    await queue.add('c.example' as ServerName, [pdu('quick', 'another', 'c.example' as ServerName)]);
    await pass(0);
    expect(tried.at(-1)).toBe('$quick');
  });

  describe('where a host has as many as may wait', () => {
    /** In rooms of their own, as a server tells of each that was away. */
    const lone = (count: number, name: string): NewWaitingPdu[] =>
      Array.from({ length: count }, (_, i) => pdu(`${name}${i}`, `${name}${i}`));

    it('waits for a place as long as they get fewer, so that its server goes no faster than they find theirs', async () => {
      answer = () => new Promise((resolve) => setTimeout(() => resolve({ kind: 'settled' }), 1_000));
      await queue.add(ORIGIN, lone(500, 'first'));
      await pass(1_000);
      await queue.add(ORIGIN, lone(8, 'between'));
      const added = Promise.all(lone(20, 'last').map((one) => queue.add(ORIGIN, [one])));
      let isAdded = false;
      void added.then(() => (isAdded = true));
      await pass(1_500);
      expect(isAdded).toBe(false);
      await pass(1_500);
      expect(isAdded).toBe(true);
      expect((await added).map(({ waiting }) => waiting.length)).toEqual(Array.from({ length: 20 }, () => 1));
    });

    it('refuses more in the end, where they get fewer too slowly', async () => {
      answer = ({ eventId }) =>
        new Promise((resolve) => {
          if (eventId === '$first0') setTimeout(() => resolve({ kind: 'settled' }), 1_000);
        });
      await queue.add(ORIGIN, lone(500, 'first'));
      await pass(1_000);
      let refused: number | undefined;
      void queue.add(ORIGIN, lone(3, 'last')).then(({ waiting }) => (refused = waiting.length));
      await pass(4_900);
      expect(refused).toBeUndefined();
      await pass(200);
      expect(refused).toBe(1);
    });

    it('refuses more at once, where they get no fewer at all', async () => {
      await queue.add(ORIGIN, lone(500, 'first'));
      await pass(60_000);
      expect(await queue.add(ORIGIN, lone(3, 'last'))).toMatchObject({ waiting: [], gaveWay: [] });
    });
  });

  it('takes up what was left by a process that ended, at the start and later', async () => {
    queue.onModuleDestroy();
    await queue.add(ORIGIN, [pdu('left')]);
    answer = async () => ({ kind: 'settled' });
    const next = await start();
    await pass(0);
    expect(tried).toEqual(['$left']);
    const log = new InboundLog(
      new TodaysEventStore(store, FACT_SHAPES, ROOM_PARTS),
      { now: () => Date.now() },
      new Metrics(),
      { note: () => {} },
    );
    await log.add(ORIGIN, [pdu('of another process')]);
    await pass(5 * 60_000);
    expect(tried).toHaveLength(1);
    await pass(10 * 60_000);
    expect(tried).toEqual(['$left', '$of another process']);
    next.onModuleDestroy();
  });

  it('takes up what waits since a time to come, by a clock that was put back', async () => {
    queue.onModuleDestroy();
    await queue.add(ORIGIN, [pdu('left')]);
    vi.setSystemTime(Date.now() - 24 * HOUR_MS);
    answer = async () => ({ kind: 'settled' });
    const next = await start();
    await pass(0);
    expect(tried).toEqual(['$left']);
    next.onModuleDestroy();
  });
});
