import { expect, it } from 'vitest';
import type { EventId, ServerName, UserId } from '#kernel/ids';
import { ALICE, BOB, LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomViews } from '#testing/room-views';
import { MembershipsElsewhere } from '../commands/memberships-elsewhere.js';
import { findRowsById } from './event-rows.js';
import { openRoom } from './open-room.js';

const STRANGERS = 'b.example' as ServerName;

it('nobody reads what the invited may by an invitation that another server made up while the room was not here', async () => {
  const views = new RoomViews(new MemoryEventStore());
  const room = await LocalRoom.begin(views.log);
  const { roomId } = room;
  await room.setState('m.room.history_visibility', { history_visibility: 'invited' });
  await views.follow();
  const elsewhere = new MembershipsElsewhere(views.today, { now: () => 1 }, views);
  const pdu = {
    type: 'm.room.member',
    sender: `@eve:${STRANGERS}`,
    state_key: BOB,
    content: { membership: 'invite' },
    origin_server_ts: 1,
    depth: 1,
  };
  const forged = { membership: 'invite', event_id: '$forged' as EventId, origin: STRANGERS, pdu, state: [] } as const;
  await elsewhere.tell(BOB, { room_id: roomId, room_version: '11', ...forged }, { actor: STRANGERS });
  const among = await room.say('among us');
  await views.follow();
  const bob = { userId: BOB, ignored: new Set<UserId>() };
  await expect(openRoom(views, roomId, bob, 'events')).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });

  await room.setMembership(BOB, 'invite', ALICE);
  const later = await room.say('to the invited too');
  await views.follow();
  const open = await openRoom(views, roomId, bob, 'events');
  const rows = (await findRowsById(views, roomId, [among.eventId, later.eventId])).filter((row) => row !== undefined);
  expect(rows).toHaveLength(2);
  expect((await open.room.shownOf(rows)).map(({ header }) => header.eventId)).toEqual([later.eventId]);
});
