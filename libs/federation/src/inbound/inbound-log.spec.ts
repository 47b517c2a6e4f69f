import { beforeEach, describe, expect, it } from 'vitest';
import { TodaysEventStore } from '#event-store/todays-event-store';
import { verifyChain } from '#event-store/seal-facts';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { Metrics } from '#observability/metrics';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { MemoryEventStore } from '#testing/memory-event-store';
import { INBOUND_STREAM, type NewWaitingPdu } from '../facts/inbound-facts.js';
import { InboundLog } from './inbound-log.js';

const ORIGIN = 'b.example' as ServerName;
const ROOM = '!room:b.example' as RoomId;
const CLOCK = { now: () => 1_700_000_000_000 };

let store: MemoryEventStore;
let log: InboundLog;

beforeEach(() => {
  store = new MemoryEventStore();
  log = start();
});

const start = (): InboundLog =>
  new InboundLog(new TodaysEventStore(store, FACT_SHAPES, ROOM_PARTS), CLOCK, new Metrics(), { note: () => {} });
const facts = () => store.facts.filter(({ stream }) => stream === INBOUND_STREAM);

function pdu(name: string, text = `{"content":{"n":1.50,"body":",\\"pdu\\":"},"name":"${name}"}`): NewWaitingPdu {
  return { roomId: ROOM, eventId: `$${name}` as EventId, origin: ORIGIN, text };
}

function many(count: number, prefix = 'e', text?: string): NewWaitingPdu[] {
  return Array.from({ length: count }, (_, i) => pdu(`${prefix}${i}`, text));
}

/** As many of another server. */
const of = (origin: ServerName, count: number, prefix = 'e', text?: string): NewWaitingPdu[] =>
  many(count, `${origin}${prefix}`, text).map((one) => ({ ...one, origin }));

describe('events that wait', () => {
  it('are there after a restart as they were sent, until they are settled', async () => {
    const [first, second] = (await log.add(ORIGIN, [pdu('first'), pdu('second')])).waiting;
    expect([...(await start().load()).values()]).toEqual([first, second]);
    expect(first).toMatchObject({ ...pdu('first'), at: CLOCK.now() });
    await log.settle(first!, 'Nobody has its parents');
    await log.settle(first!);
    expect([...(await start().load()).values()]).toEqual([second]);
    expect(facts().map(({ type }) => type)).toEqual(['pdu-queued', 'pdu-queued', 'pdu-settled']);
  });

  it('wait once, however often they come, and by the server that sent them first', async () => {
    await log.add(ORIGIN, [pdu('one')]);
    const again = await log.add('c.example' as ServerName, [{ ...pdu('one'), origin: 'c.example' as ServerName }]);
    expect(again.waiting).toMatchObject([{ origin: ORIGIN }]);
    expect(facts()).toHaveLength(1);
  });

  it('go into writes that every log takes, whatever they are written in', async () => {
    const writes: number[] = [];
    const append = store.append.bind(store);
    store.append = (stream, expected, some) => {
      writes.push(some.reduce((sum, { data }) => sum + Buffer.byteLength(data), 0));
      return append(stream, expected, some);
    };
    // Three bytes each in UTF-8, of which JSON text in memory counts one.
    await log.add(ORIGIN, many(50, 'e', `{"content":{"body":"${'語'.repeat(20_000)}"}}`));
    expect(facts()).toHaveLength(50);
    expect(Math.max(...writes)).toBeLessThan(1024 * 1024);
  });

  it('leave no more than one fact once all are settled', async () => {
    for (const one of (await log.add(ORIGIN, many(20))).waiting) await log.settle(one);
    expect(facts()).toHaveLength(1);
    expect((await start().load()).size).toBe(0);
  });

  it('are said again where others are settled and these are not, so that the stream stays short', async () => {
    const [stuck] = (await log.add(ORIGIN, [pdu('stuck')])).waiting;
    for (let i = 0; i < 600; i++) {
      const [one] = (await log.add(ORIGIN, [pdu(`e${i}`)])).waiting;
      await log.settle(one!);
    }
    expect(facts().length).toBeLessThan(600);
    expect([...(await start().load()).values()]).toEqual([stuck]);
    const [before, ...later] = facts();
    later.reduce((previous, fact) => {
      expect(verifyChain(previous.metadata.chain, fact)).toBe(true);
      return fact;
    }, before!);
    await log.settle(stuck!);
    expect((await start().load()).size).toBe(0);
  });

  it('are 500 of one server at most, and those of others still may wait', async () => {
    const first = await log.add(ORIGIN, many(510));
    expect([first.waiting.length, first.isCrowded]).toEqual([500, false]);
    expect(await log.add(ORIGIN, many(5, 'more'))).toEqual({ waiting: [], gaveWay: [], isCrowded: false });
    const other = 'c.example' as ServerName;
    expect((await log.add(other, of(other, 3))).waiting).toHaveLength(3);
    expect((await start().load()).size).toBe(503);
  });

  it('are no more of all the servers of one host', async () => {
    await log.add(ORIGIN, many(300));
    const port = 'b.example:8449' as ServerName;
    const { waiting, isCrowded } = await log.add(port, of(port, 300));
    expect([waiting.length, isCrowded]).toEqual([200, false]);
  });

  it('leave room for who comes next, however many servers have as many as they may; who has less than alone is told so', async () => {
    for (let i = 0; i < 60; i++) {
      const server = `${i}.example` as ServerName;
      await log.add(server, of(server, 510));
    }
    const next = 'next.example' as ServerName;
    expect(await log.add(next, of(next, 5))).toMatchObject({ waiting: { length: 5 }, isCrowded: false });
    expect(await log.add(next, of(next, 500, 'f'))).toMatchObject({ isCrowded: true });
    expect((await log.load()).size).toBeLessThan(5_000);
  });

  it('are as much text as they may be, of one server and of all', async () => {
    const text = `{"a":"${'x'.repeat(250_000)}"}`;
    const own = await log.add(ORIGIN, many(60, 'e', text));
    expect([own.waiting.length, own.isCrowded]).toEqual([29, false]);
    const other = 'c.example' as ServerName;
    expect((await log.add(other, of(other, 3, 'f', text))).waiting).toHaveLength(3);
  });

  it('go into as many writes as a log takes', async () => {
    const sizes: number[] = [];
    const append = store.append.bind(store);
    store.append = (stream, expected, written) => {
      sizes.push(written.reduce((sum, { data }) => sum + data.length, 0));
      return append(stream, expected, written);
    };
    const { waiting } = await log.add(ORIGIN, many(30, 'e', `{"a":"${'x'.repeat(60_000)}"}`));
    expect(waiting).toHaveLength(30);
    expect(Math.max(...sizes)).toBeLessThan(512 * 1024);
    expect(sizes.length).toBeGreaterThan(3);
  });

  it('may be added by two processes at once', async () => {
    const other = start();
    await Promise.all([log.add(ORIGIN, many(20, 'here')), other.add(ORIGIN, many(20, 'there'))]);
    expect((await start().load()).size).toBe(40);
    expect((await log.load()).size).toBe(40);
  });
});
