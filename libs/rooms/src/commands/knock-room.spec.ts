import { expect, it } from 'vitest';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { BOB, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { requesterOf } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import type { RemoteRooms } from '../remote-rooms.js';
import type { MembershipChanges } from './change-membership.js';
import { KnockRoom, KnockRoomHandler } from './knock-room.js';
import { MembershipsElsewhere } from './memberships-elsewhere.js';

const ROOM = '!room' as RoomId;

it('a knock that another server took is told, also where that tells of another room', async () => {
  const views = new RoomViews(new MemoryEventStore());
  const elsewhere = new MembershipsElsewhere(views.today, { now: () => 1 }, views);
  const content = { membership: 'knock' };
  const pdu = { type: 'm.room.member', sender: BOB, state_key: BOB, content, origin_server_ts: 1, depth: 1 };
  const sender = '@a:b.example';
  const create = { type: 'm.room.create', state_key: '', sender, content: {}, hashes: {}, auth_events: [] };
  const knocked = { eventId: '$knock' as EventId, pdu, server: 'b.example' as ServerName };
  const others: Pick<RemoteRooms, 'knock'> = {
    knock: async () => ({ ...knocked, version: findRoomVersion('12')!, roomState: [create] }),
  };
  const members: Pick<MembershipChanges, 'contentOf'> = { contentOf: async () => content };
  const handler = new KnockRoomHandler(
    members as MembershipChanges,
    elsewhere,
    views,
    TEST_AUTHOR,
    others as RemoteRooms,
  );
  expect(await handler.execute(new KnockRoom(requesterOf(BOB), ROOM))).toEqual({ roomId: ROOM });
  expect(await elsewhere.find(BOB, ROOM)).toMatchObject({ membership: 'knock', event_id: '$knock' });
});
