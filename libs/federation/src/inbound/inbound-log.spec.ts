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

describe('events that wait', () => {
  it('are there after a restart as they were sent, until they are settled', async () => {
    const [first, second] = await log.add(ORIGIN, [pdu('first'), pdu('second')]);
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
    expect(again).toMatchObject([{ origin: ORIGIN }]);
    expect(facts()).toHaveLength(1);
  });

  it('leave no more than one fact once all are settled', async () => {
    for (const one of await log.add(ORIGIN, many(20))) await log.settle(one);
    expect(facts()).toHaveLength(1);
    expect((await start().load()).size).toBe(0);
  });

  it('are said again where others are settled and these are not, so that the stream stays short', async () => {
    const [stuck] = await log.add(ORIGIN, [pdu('stuck')]);
    for (let i = 0; i < 600; i++) {
      const [one] = await log.add(ORIGIN, [pdu(`e${i}`)]);
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
    expect(await log.add(ORIGIN, many(510))).toHaveLength(500);
    expect(await log.add(ORIGIN, many(5, 'more'))).toEqual([]);
    const other = 'c.example' as ServerName;
    const ofOther = many(3, 'other').map((one) => ({ ...one, origin: other }));
    expect(await log.add(other, ofOther)).toHaveLength(3);
    expect((await start().load()).size).toBe(503);
  });

  it('go into as many writes as a log takes', async () => {
    const sizes: number[] = [];
    const append = store.append.bind(store);
    store.append = (stream, expected, written) => {
      sizes.push(written.reduce((sum, { data }) => sum + data.length, 0));
      return append(stream, expected, written);
    };
    expect(await log.add(ORIGIN, many(30, 'e', `{"a":"${'x'.repeat(60_000)}"}`))).toHaveLength(30);
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
