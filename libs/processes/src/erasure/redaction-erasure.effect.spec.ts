import { expect, test } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { sealFacts } from '#event-store/seal-facts';
import type { EventId, RoomId } from '#kernel/ids';
import { erasablePlaceIn, factWithPdu } from '#rooms/facts/fact-text';
import { roomStream } from '#rooms/facts/room-facts';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomViews } from '#testing/room-views';
import { RedactionErasure } from './redaction-erasure.effect.js';

const STREAM = roomStream('!room:a.example' as RoomId);
const IDS = ['$one', '$two', '$three'] as EventId[];
const MEMBER = { type: 'm.room.member', sender: '@bob:b.example', state_key: '@bob:b.example', depth: 1 };
const REFERENCES = { prev_events: [], auth_events: [] };
const said = (id: string): string =>
  JSON.stringify({ ...MEMBER, ...REFERENCES, content: { membership: 'leave', reason: `secret of ${id}` } });
const REMAINS = JSON.stringify({ ...MEMBER, ...REFERENCES, content: { membership: 'leave' } });

/** A room in which three events are redacted that one fact carries besides. */
async function roomWithRedactions(): Promise<{
  store: MemoryEventStore;
  effect: RedactionErasure;
  redacted: RecordedFact[];
  erasures: number[];
}> {
  const store = new MemoryEventStore();
  const carried = Object.fromEntries(IDS.map((id) => [id, said(id)]));
  const header = { room_version: '11', origin: 'b.example' };
  const told = { event_id: '$other', room_version: '11', part: 1, parts: 2, state_pdus: carried };
  const texts: (readonly [type: string, data: string])[] = [
    ...IDS.map((id) => ['outlier-stored', factWithPdu({ event_id: id, ...header } as never, said(id))] as const),
    ['change-told', JSON.stringify(told)],
    ...IDS.map((id) => {
      const effect = { event_id: id, redacted_by: `${id}r`, room_version: '11', ordered: {} };
      return ['pdu-redacted', factWithPdu(effect as never, REMAINS)] as const;
    }),
  ];
  const drafts = texts.map(([type, data], n) => {
    return { id: `fact ${n}`, type, data, at: n, actor: 'server', erasable: erasablePlaceIn(type, data) };
  });
  await store.append(STREAM, 'no-stream', sealFacts(undefined, drafts));
  const views = await new RoomViews(store).follow();
  const erasures: number[] = [];
  const erase = store.erase.bind(store);
  store.erase = async (stream, revision, tail) => {
    erasures.push(revision);
    await erase(stream, revision, tail);
  };
  const redacted = store.facts.filter(({ type }) => type === 'pdu-redacted');
  return { store, effect: new RedactionErasure(store, views), redacted, erasures };
}

const secretsIn = ({ facts }: MemoryEventStore): number =>
  facts
    .map(({ data }) => data)
    .join()
    .split('secret of').length - 1;

test('what several redactions take away is erased together, also from a fact that carries all of it', async () => {
  const { store, effect, redacted, erasures } = await roomWithRedactions();
  expect(secretsIn(store)).toBe(6);
  expect(await Promise.all(redacted.map((fact) => effect.run(fact)))).toEqual([true, true, true]);
  expect(secretsIn(store)).toBe(0);
  // Each fact once.
  expect(erasures.toSorted()).toEqual([0, 1, 2, 3]);
  expect(await Promise.all(redacted.map((fact) => effect.run(fact)))).toEqual([false, false, false]);
});

test('each has a key of its own, so that they may be done together', async () => {
  const { effect, redacted } = await roomWithRedactions();
  expect(redacted.map((fact) => effect.keyOf(fact))).toEqual(IDS.map((id) => `${STREAM} ${id}`));
});

test('where one cannot be erased the others are', async () => {
  const { store, effect, redacted } = await roomWithRedactions();
  const { erase } = store;
  store.erase = async (stream, revision, tail) => {
    if (revision === 0) throw new Error('the disk is full');
    await erase(stream, revision, tail);
  };
  const outcomes = await Promise.allSettled(redacted.map((fact) => effect.run(fact)));
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  expect(secretsIn(store)).toBe(1);
});
