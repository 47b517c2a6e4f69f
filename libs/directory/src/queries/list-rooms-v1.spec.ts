import { expect, it } from 'vitest';
import { serverNameOf } from '#kernel/ids';
import { ALICE } from '#testing/local-room';
import { RoomCommands } from '#testing/room-commands';
import { listRoomsV1 } from './list-rooms-v1.js';

it('goes on behind a room whose server says that it was made before 1970', async () => {
  const rooms = new RoomCommands();
  const ours = serverNameOf(ALICE);
  for (const now of [-5, 5]) {
    rooms.now = now;
    await rooms.createRoom(ALICE, { name: `of ${now}`, visibility: 'public', room_version: '11' });
  }
  const pageFrom = (from: string) => listRoomsV1(rooms.views, ours, { from, to: undefined, limit: 1, dir: undefined });
  const first = await pageFrom('START');
  const second = await pageFrom(first.end);
  expect([first, second].flatMap(({ chunk }) => chunk.map(({ name }) => name))).toEqual(['of -5', 'of 5']);
});
