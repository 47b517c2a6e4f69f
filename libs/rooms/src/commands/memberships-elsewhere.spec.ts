import { expect, it } from 'vitest';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { BOB } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomViews } from '#testing/room-views';
import { MembershipsElsewhere } from './memberships-elsewhere.js';

const ROOM = '!room:b.example' as RoomId;

it('who was invited twice may be let in by the servers of both, and has it taken back by those of the last alone', async () => {
  const views = new RoomViews(new MemoryEventStore());
  const elsewhere = new MembershipsElsewhere(views.today, { now: () => 1 }, views);
  expect(await elsewhere.find(BOB, ROOM)).toBeUndefined();
  const invite = async (sender: string, server: string): Promise<void> => {
    const origin = server as ServerName;
    const content = { membership: 'invite' };
    const pdu = { type: 'm.room.member', sender, state_key: BOB, content, origin_server_ts: 1, depth: 1 };
    const told = {
      room_id: ROOM,
      room_version: '11',
      membership: 'invite',
      event_id: `$${server}` as EventId,
    } as const;
    await elsewhere.tell(BOB, { ...told, origin, pdu, state: [] }, { actor: origin });
  };
  await invite('@friend:b.example', 'b.example');
  await invite('@eve:c.example', 'c.example');
  expect(await elsewhere.find(BOB, ROOM)).toMatchObject({
    event_id: '$c.example',
    membership: 'invite',
    tellers: ['c.example'],
    servers: ['c.example', 'b.example'],
  });
});
