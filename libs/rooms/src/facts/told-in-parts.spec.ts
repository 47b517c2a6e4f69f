import { describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { withParts } from '#event-store/fact-parts';
import { atOnce } from '#kernel/steps';
import type { EventId } from '#kernel/ids';
import { positionOf } from '#testing/position-of';
import { currentChangeOf, type PduAccepted } from './room-facts.js';
import { erasablePlaceIn, factWithPdu } from './fact-text.js';
import { MOST_IN_A_FACT } from './log-limits.js';
import { type PlacedHeader, placesIn, ROOM_PARTS, tellInParts } from './told-in-parts.js';

const idOf = (name: string, i: number): EventId => `$${name}${i}` as EventId;
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const change = (i: number) => ({ type: 'm.room.member', state_key: `@"${i}`.padEnd(100, 'x'), event_id: idOf('m', i) });
const HEADER = {
  event_id: '$event' as EventId,
  room_version: '11',
  state: [],
  root: 'root',
  visibility: 'shared' as const,
};
const REJECTED = { ...HEADER, state: many(900, change), reason: 'a "reason"' };
const PDU = '{"content":{"body":"hello"}}';

function recorded(type: string, data: string, revision: number): RecordedFact {
  const metadata = { at: 0, actor: 'test', schema: 1, chain: '', erasable: erasablePlaceIn(type, data) };
  return { id: `${revision}`, type, data, revision, metadata, stream: 'room-!r', position: positionOf(revision + 1) };
}

/** The facts of an event, and what they are read as. */
function told(type: string, header: PlacedHeader): { facts: RecordedFact[]; whole: RecordedFact } {
  const { parts, last } = atOnce(tellInParts(header))!;
  const facts = parts.map((part, i) => recorded('change-told', JSON.stringify(part), 5 + i));
  const fact = recorded(type, factWithPdu(last, PDU), 5 + parts.length);
  expect(ROOM_PARTS.count(fact)).toBe(parts.length);
  return { facts: [...facts, fact], whole: withParts(fact, facts, ROOM_PARTS) };
}

describe('what is told of an event', () => {
  it.each<[string, string, PlacedHeader]>([
    ['members of the current state', 'pdu-accepted', { ...HEADER, current: { state: many(900, change), root: 'now' } }],
    ['changes of its own state', 'pdu-soft-failed', { ...HEADER, state: many(900, change) }],
    ['why it was rejected', 'pdu-rejected', REJECTED],
  ])('is the same when it is read, told in parts or not: %s', (_, type, header) => {
    const { facts, whole } = told(type, header);
    expect(whole.data).toBe(factWithPdu(header, PDU));
    expect(whole.metadata.erasable).toBe(erasablePlaceIn(type, whole.data));
    for (const { data } of facts) expect(Buffer.byteLength(data)).toBeLessThan(MOST_IN_A_FACT + 10_000);
  });

  it('names of each event that it carries the part that does, however large that is', () => {
    const texts = many(3, (i) => JSON.stringify({ content: { body: `"${i}`.repeat(30_000) } }));
    const state_pdus = Object.fromEntries(texts.map((text, i) => [idOf('m', i), text]));
    const header = { ...HEADER, current: { state: many(3, change), root: 'now' }, state_pdus };
    const { facts, whole } = told('pdu-accepted', header);
    expect(facts).toHaveLength(5);
    const { told_in: places, state_pdus: carried } = JSON.parse(whole.data) as PduAccepted;
    expect(carried).toEqual(state_pdus);
    expect(places).toEqual({ $m0: 6, $m1: 7, $m2: 8 });
    expect(places).toEqual(placesIn(atOnce(tellInParts(header))!.parts, (part) => 5 + part));
    for (const { data, metadata } of facts.slice(1, 4)) expect(data.slice(metadata.erasable)).toMatch(/^\{"\$m\d":"/);
    expect(facts[0]!.metadata.erasable).toBeUndefined();
  });

  it('is not told in parts where it is small', () => {
    expect(atOnce(tellInParts({ ...HEADER, state: many(100, change) }))).toBe(undefined);
    expect(ROOM_PARTS.count(recorded('pdu-accepted', factWithPdu(HEADER, PDU), 1))).toBe(0);
  });

  it('is nothing without the parts that are its own, all of them, in their order', () => {
    const { facts } = told('pdu-accepted', { ...HEADER, state: many(2_000, change) });
    const [first, second, ...rest] = facts.slice(0, -1);
    const last = facts.at(-1)!;
    const others = { ...first!, data: first!.data.replace('$event', '$other') };
    for (const parts of [[second!, ...rest], [second!, first!, ...rest], [others, second!, ...rest], []]) {
      const read = withParts(last, parts, ROOM_PARTS);
      expect(() => currentChangeOf(JSON.parse(read.data) as PduAccepted)).toThrow('are not there');
    }
  });
});
