import { expect, test } from 'vitest';
import { sealFacts } from '#event-store/seal-facts';
import type { RoomId, UserId } from '#kernel/ids';
import { roomStream } from '#rooms/facts/room-facts';
import { MemoryEventStore } from '#testing/memory-event-store';
import { findSaidInRoom } from './said-in-room.js';

const ALICE = '@alice:a.example' as UserId;
const ROOM = '!room:a.example' as RoomId;

test('of what was redacted it is held where that stands, and no text: a room may have a million of them', async () => {
  const store = new MemoryEventStore();
  const said = { type: 'm.room.message', sender: ALICE, content: { body: 'x' } };
  const facts = [
    { type: 'pdu-accepted', data: { event_id: '$one', room_version: '11', pdu: said } },
    { type: 'pdu-accepted', data: { event_id: '$two', room_version: '11', pdu: said } },
    { type: 'pdu-redacted', data: { event_id: '$one', room_version: '11', pdu: { ...said, content: {} } } },
  ].map(({ type, data }, n) => ({ id: `fact ${n}`, type, data: JSON.stringify(data), at: n, actor: 'server' }));
  await store.append(roomStream(ROOM), 'no-stream', sealFacts(undefined, facts));
  const { open, redacted } = await findSaidInRoom(store, ROOM, ALICE);
  expect([...open]).toEqual([['$two', 'messages']]);
  expect([...redacted]).toEqual([['$one', { kind: 'messages', revision: 2 }]]);
});
