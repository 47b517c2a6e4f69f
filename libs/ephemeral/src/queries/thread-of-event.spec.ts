import { beforeEach, expect, it } from 'vitest';
import type { EventId, UserId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import { getEvent } from '#rooms/queries/get-event';
import { ALICE, BOB, LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomViews } from '#testing/room-views';
import { isInThread } from './thread-of-event.js';

let room: LocalRoom;
let views: RoomViews;

beforeEach(async () => {
  const log = new MemoryEventStore();
  views = new RoomViews(log);
  room = await LocalRoom.begin(log);
  await room.setState('m.room.join_rules', { join_rule: 'public' });
  await room.setState('m.room.history_visibility', { history_visibility: 'joined' });
});

const relating = (parent: RoomEvent, relType: string): Promise<RoomEvent> =>
  room.send({
    type: 'm.room.message',
    content: { body: 'child', 'm.relates_to': { event_id: parent.eventId, rel_type: relType } },
  });

async function isInThreadFor(userId: UserId, { eventId }: RoomEvent, thread: EventId | 'main'): Promise<boolean> {
  await views.follow();
  const seen = await getEvent(views, room.roomId, eventId, { userId, ignored: new Set() });
  return isInThread(seen.room, eventId, thread);
}

it('an event that the reader may not see leads to no thread', async () => {
  const root = await room.say('root');
  const hidden = await relating(root, 'm.thread');
  await room.setMembership(BOB, 'join');
  const seen = await relating(hidden, 'm.reference');
  expect(await isInThreadFor(ALICE, seen, root.eventId)).toBe(true);
  expect(await isInThreadFor(ALICE, seen, 'main')).toBe(false);
  expect(await isInThreadFor(BOB, seen, root.eventId)).toBe(false);
  expect(await isInThreadFor(BOB, seen, 'main')).toBe(true);
});
