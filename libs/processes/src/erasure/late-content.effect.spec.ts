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

test('who was left out of a room at first is erased of it once it is filled', async () => {
  const store = new MemoryEventStore();
  const member = {
    type: 'm.room.member',
    sender: ALICE,
    state_key: ALICE,
    content: { membership: 'leave', reason: 'x' },
  };
  const facts = [
    { type: 'join-begun', data: { room_version: '11' } },
    { type: 'join-completed', data: { event_id: '$join' } },
    { type: 'state-taken', data: { event_id: '$alice', room_version: '11', pdu: member } },
    { type: 'join-filled', data: { event_id: '$join', states: [] } },
  ].map(({ type, data }, n) => ({ id: `fact ${n}`, type, data: JSON.stringify(data), at: n, actor: 'server' }));
  await store.append(roomStream(ROOM), 'no-stream', sealFacts(undefined, facts));
  const erasures = new Erasures(store, { now: () => 1 });
  await erasures.order({ user_id: ALICE, content: true }, 'server');
  const erased: EraseEvents[] = [];
  const execute = async (command: EraseEvents): Promise<number> => {
    erased.push(command);
    return command.eventIds.length;
  };
  const effect = new LateContent({ execute } as never, erasures, store, { serverName: 'a.example' as never });
  const filled = store.facts.find(({ type }) => type === 'join-filled') as RecordedFact;
  expect(effect.keyOf(filled)).toBe(roomStream(ROOM));
  expect(await effect.run(filled)).toBe(true);
  expect(erased.map(({ roomId, eventIds }) => [roomId, eventIds])).toEqual([[ROOM, ['$alice']]]);
});
