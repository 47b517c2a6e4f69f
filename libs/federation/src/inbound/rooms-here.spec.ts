import { TEST_AUTHOR } from '#testing/local-room';
import { expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { ReceivedEvents } from '#rooms/queries/received-events';
import { RoomsHere } from './rooms-here.js';

const ROOM = '!room:b.example' as RoomId;
const V11 = findRoomVersion('11')!;

it('a room is coming until the last of those who join it is through', async () => {
  const views: Pick<Views, 'get'> = { get: async () => undefined };
  const received = { findVersion: async () => undefined } as Partial<ReceivedEvents> as ReceivedEvents;
  const rooms = new RoomsHere(views as Views, TEST_AUTHOR, received);
  let fail: (error: Error) => void = () => {};
  let end = (): void => {};
  const failing = rooms.expect(ROOM, findRoomVersion('10')!, () => new Promise((_, reject) => (fail = reject)));
  const ending = rooms.expect(ROOM, V11, () => new Promise<void>((resolve) => (end = resolve)));
  fail(new Error('refused'));
  await expect(failing).rejects.toThrow('refused');
  expect(await rooms.find(ROOM)).toEqual({ version: V11, standing: 'coming' });
  end();
  await ending;
  expect(await rooms.find(ROOM)).toBeUndefined();
});
