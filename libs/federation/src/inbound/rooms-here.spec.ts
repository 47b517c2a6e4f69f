import { expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { handshakesProjector } from '#rooms/projections/handshakes.projector';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import type { ReceivedEvents } from '#rooms/queries/received-events';
import { TEST_AUTHOR } from '#testing/local-room';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts, recordFacts, type StreamFact } from '#testing/project';
import { RoomsHere } from './rooms-here.js';

const ROOM = '!room:b.example' as RoomId;
const V11 = findRoomVersion('11')!;

it('a room is coming until the last of those who join it is through', async () => {
  const views = new MemoryReadModels();
  const received = { findVersion: async () => undefined } as Partial<ReceivedEvents> as ReceivedEvents;
  const rooms = new RoomsHere(views as unknown as Views, TEST_AUTHOR, received);
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

it('a room is coming that another process joins, from before its server is asked until it is known what became of that', async () => {
  const views = new MemoryReadModels();
  const received = { findVersion: async () => undefined } as Partial<ReceivedEvents> as ReceivedEvents;
  const rooms = new RoomsHere(views as unknown as Views, TEST_AUTHOR, received);
  const event = { room_id: ROOM, event_id: '$join' };
  const begun = { ...event, room_version: '11', membership: 'join', server: 'b.example', pdu: {} };
  const stream = 'elsewhere-@bob:a.example';
  const facts: StreamFact[] = [
    { stream, type: 'handshake-begun', data: begun },
    {
      stream,
      type: 'handshake-begun',
      data: { ...begun, event_id: '$knock', room_id: '!other:b', membership: 'knock' },
    },
    { stream, type: 'handshake-ended', data: event },
  ];
  const [first, second, ended] = recordFacts(facts);
  const projector = handshakesProjector(createRoomFactReader());
  await applyFacts(projector, [first!, second!], views);
  expect(await rooms.find(ROOM)).toEqual({ version: V11, standing: 'coming' });
  expect(await rooms.find('!other:b' as RoomId)).toBeUndefined();
  await applyFacts(projector, [ended!], views);
  expect(await rooms.find(ROOM)).toBeUndefined();
});
