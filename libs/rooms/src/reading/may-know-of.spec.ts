import { expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { START } from '#kernel/position';
import { ALICE, BOB } from '#testing/local-room';
import { MemoryReadModels } from '#testing/memory-read-models';
import { USER_ROOMS } from '../projections/membership.projector.js';
import { isDescribedTo } from './may-know-of.js';

const ROOM = '!room:b.example' as RoomId;

it('describes a room of other servers that is joined by invitation to who is invited there, and to nobody else', async () => {
  const views = new MemoryReadModels();
  const invited = { membership: 'invite', event_id: '$e', pos: START, sender: BOB, elsewhere: true } as never;
  await views.write([{ collection: USER_ROOMS.name, key: [ALICE, ROOM], value: USER_ROOMS.codec.encode(invited) }]);
  const described = { room_id: ROOM, world_readable: false, join_rule: 'invite' };
  expect(await isDescribedTo(views, described, ALICE)).toBe(true);
  expect(await isDescribedTo(views, described, BOB)).toBe(false);
});
