import { expect, it } from 'vitest';
import { KEY_CHANGES, LAST_KEY_CHANGES, LISTED_MOVES } from '#devices/projections/device-lists.projector';
import type { RoomId, UserId } from '#kernel/ids';
import type { OwnRows } from '#projections/projector';
import { Turn } from '#projections/turn';
import type { Views } from '#projections/views';
import type { Write } from '#read-models/read-model-store';
import { USER_ROOMS } from '#rooms/projections/membership.projector';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import type { KnownRoom } from '../notifier/active-user.js';
import type { ActiveUsers } from '../notifier/active-users.js';
import { DeviceListChanges } from './device-list-changes.js';

const ROOM = '!room:a.example' as RoomId;
const [ALICE, BOB, CAROL] = ['@alice:a.example', '@bob:a.example', '@carol:a.example'] as [UserId, UserId, UserId];
/** More changes than are looked at one by one. */
const MANY = 6_000;

it('tells whose keys changed last of more changes than it looks at, and of nobody who is in no room with the reader', async () => {
  const readModels = new MemoryReadModels();
  const writes: Write[] = [];
  const rows = { put: (collection: string, key: string[], value: string) => writes.push({ collection, key, value }) };
  const own = rows as unknown as OwnRows;
  const noteChange = (at: number, userId: UserId): void => {
    KEY_CHANGES.put(own, [positionOf(at)], userId);
    LAST_KEY_CHANGES.put(own, [userId], positionOf(at));
  };
  for (let at = 3; at < MANY; at++) noteChange(at, `@u${at}:a.example` as UserId);
  noteChange(2, CAROL);
  noteChange(MANY, BOB);
  for (const [i, userId] of [ALICE, BOB, CAROL].entries()) {
    LISTED_MOVES.put(own, [ROOM, positionOf(i), userId], 'join');
    writes.push({ collection: USER_ROOMS.name, key: [userId, ROOM], value: '{"membership":"join"}' });
  }
  await readModels.write(writes);
  const recent = { members: { isQuietSince: () => true }, keyChanges: { between: () => undefined } };
  const changes = new DeviceListChanges(readModels as unknown as Views, { recent } as unknown as ActiveUsers);
  const known = { membership: 'join', position: positionOf(0) } as KnownRoom;
  const reader = { userId: ALICE, rooms: new Map([[ROOM, known]]), turn: new Turn() };
  // Carol's keys changed before that.
  const { changed } = await changes.between(reader, positionOf(2), positionOf(MANY), false);
  expect([...changed]).toEqual([BOB]);
});
