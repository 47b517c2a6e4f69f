import { expect, test } from 'vitest';
import { Erasures } from '#admin/erasures/erasures';
import type { RecordedFact } from '#event-store/event-store';
import { sealFacts } from '#event-store/seal-facts';
import type { RoomId, UserId } from '#kernel/ids';
import type { EraseEvents } from '#rooms/commands/erase-events';
import { roomStream } from '#rooms/facts/room-facts';
import { MemoryEventStore } from '#testing/memory-event-store';
import { LateContent } from './late-content.effect.js';

const ALICE = '@alice:a.example' as UserId;
const ROOM = '!room:b.example' as RoomId;

const MEMBER = {
  type: 'm.room.member',
  sender: ALICE,
  state_key: ALICE,
  content: { membership: 'leave', reason: 'x' },
};
const CAROLS = { type: 'm.room.message', sender: '@carol:b.example', content: { body: 'x' } };
const OF_ALICE = { event_id: '$alice', room_version: '11', origin: 'b.example', pdu: MEMBER };
const OF_CAROL = { event_id: '$carol', room_version: '11', origin: 'b.example' };
const CARRIED = { $alice: JSON.stringify(MEMBER), $other: JSON.stringify(CAROLS) };

/** An effect of a server that has erased Alice, over a room with these facts, and what it has had erased. */
async function withRoom(
  told: readonly { readonly type: string; readonly data: object }[],
): Promise<{ effect: LateContent; facts: readonly RecordedFact[]; erased: EraseEvents[] }> {
  const store = new MemoryEventStore();
  const facts = told.map(({ type, data }, n) => {
    return { id: `fact ${n}`, type, data: JSON.stringify(data), at: n, actor: 'server' };
  });
  await store.append(roomStream(ROOM), 'no-stream', sealFacts(undefined, facts));
  const ofRoom = [...store.facts];
  const erasures = new Erasures(store, { now: () => 1 });
  await erasures.order({ user_id: ALICE, content: true }, 'server');
  const erased: EraseEvents[] = [];
  const execute = async (command: EraseEvents): Promise<number> => {
    erased.push(command);
    return command.eventIds.length;
  };
  const effect = new LateContent({ execute } as never, erasures, store, { serverName: 'a.example' as never });
  return { effect, facts: ofRoom, erased };
}

test('who was left out of a room at first is erased of it once it is filled', async () => {
  const { effect, facts, erased } = await withRoom([
    { type: 'join-begun', data: { room_version: '11' } },
    { type: 'join-completed', data: { event_id: '$join' } },
    { type: 'state-taken', data: OF_ALICE },
    { type: 'join-filled', data: { event_id: '$join', states: [] } },
  ]);
  const filled = facts.find(({ type }) => type === 'join-filled') as RecordedFact;
  expect(effect.keyOf(filled)).toBe(roomStream(ROOM));
  expect(await effect.run(filled)).toBe(true);
  expect(erased.map(({ roomId, eventIds }) => [roomId, eventIds])).toEqual([[ROOM, ['$alice']]]);
});

test.each([
  ['pdu-accepted', OF_ALICE],
  ['pdu-soft-failed', OF_ALICE],
  ['pdu-rejected', OF_ALICE],
  ['outlier-stored', OF_ALICE],
  ['state-taken', OF_ALICE],
  ['pdu-accepted', { ...OF_CAROL, state_pdus: CARRIED, pdu: CAROLS }],
  ['pdu-accepted', { event_id: '$bob', room_version: '11', state_pdus: CARRIED, pdu: CAROLS }],
  ['change-told', { event_id: '$carol', room_version: '11', part: 1, parts: 1, state_pdus: CARRIED }],
])('whatever another server tells of somebody who was erased is erased as it comes: %s, %j', async (type, data) => {
  const { effect, facts, erased } = await withRoom([{ type, data }]);
  expect(effect.keyOf(facts[0]!)).toBe(roomStream(ROOM));
  expect(await effect.run(facts[0]!)).toBe(true);
  expect(erased.map(({ eventIds, erasure }) => [eventIds, erasure.userId])).toEqual([[['$alice'], ALICE]]);
});

test.each([
  ['made here', 'pdu-accepted', { event_id: '$alice', room_version: '11', pdu: MEMBER }],
  ['of nobody here', 'outlier-stored', { ...OF_CAROL, pdu: CAROLS }],
  ['what remains of an event', 'pdu-redacted', OF_ALICE],
])('what is %s is not looked at', async (_, type, data) => {
  const { effect, facts } = await withRoom([{ type, data }]);
  expect(effect.keyOf(facts[0]!)).toBeUndefined();
});
