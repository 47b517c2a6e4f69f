import { expect, it } from 'vitest';
import type { ServerName, UserId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import { ForkedRoom } from '#testing/forked-room';
import { LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomViews } from '#testing/room-views';
import { ServersInRooms } from '../sending/servers-in-rooms.js';
import { JoinTelling } from './join-telling.js';

const config = { serverName: 'a.example' as ServerName };

it('tells who joins which servers were in the room before that', async () => {
  const log = new MemoryEventStore();
  const views = new RoomViews(log);
  const room = await LocalRoom.begin(log, '11', 'joined');
  await room.setState('m.room.join_rules', { join_rule: 'public' });
  const others = new ForkedRoom(log, room);
  const serversTold = async ({ eventId, pdu }: RoomEvent): Promise<unknown> => {
    await views.follow();
    const telling = new JoinTelling(views, views.today, new ServersInRooms(views, config), config);
    const { position } = log.facts.at(-1)!;
    let text = '';
    const taken = { version: room.version, eventId, pdu, position };
    for await (const part of await telling.tell(room.roomId, taken, { omitsMembers: true })) text += part;
    return (JSON.parse(text) as { servers_in_room: unknown }).servers_in_room;
  };
  const first = await others.join('@carol:b.example' as UserId);
  expect(await serversTold(first)).toEqual(['a.example']);
  expect(await serversTold(await others.join('@dora:c.example' as UserId))).toEqual(['a.example', 'b.example']);
  const carl = await others.join('@carl:b.example' as UserId);
  expect(await serversTold(carl)).toEqual(['a.example', 'b.example', 'c.example']);
  expect(await serversTold(first)).toEqual(['a.example']);
});
