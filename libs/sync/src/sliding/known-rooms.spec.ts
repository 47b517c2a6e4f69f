import { expect, it } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import { ROOM_ACTIVITY } from '#rooms/projections/room-activity.projector';
import { positionOf } from '#testing/position-of';
import type { ActiveUsers } from '../notifier/active-users.js';
import { ActiveUser } from '../notifier/active-user.js';
import { Recent } from '../notifier/recent.js';
import { KnownRooms } from './known-rooms.js';

const room = '!room:x' as RoomId;

it('lists a room anew of which something was heard while the rows that order rooms were paused, once those go on', async () => {
  let passed = positionOf(5);
  let last = positionOf(5);
  const views = {
    position: () => passed,
    getMany: async (collection: string, keys: readonly unknown[]) =>
      keys.map(() => (collection === ROOM_ACTIVITY.name ? last + last : undefined)),
  };
  const active: { position: Position; recent: Recent } = { position: positionOf(5), recent: new Recent(START) };
  const known = new KnownRooms(views as unknown as Views, active as ActiveUsers);
  const user = new ActiveUser('@alice:x' as UserId, positionOf(5), 0);
  user.setMembership(room, 'join', positionOf(3));
  const places = async (): Promise<Position[]> => (await known.list(user)).map(({ place }) => place);
  active.recent.rooms.touch(room, positionOf(8));
  active.position = positionOf(8);
  expect(await places()).toEqual([positionOf(5)]);
  passed = last = positionOf(8);
  expect(await places()).toEqual([positionOf(8)]);
});

it('has each room once, in the order of their last events, whichever of them are read anew', async () => {
  const [a, b, c] = ['!a:x', '!b:x', '!c:x'] as RoomId[] as [RoomId, RoomId, RoomId];
  const last = new Map([a, b, c].map((id, n) => [id, positionOf(n + 1)]));
  const views = {
    position: () => positionOf(99),
    getMany: async (collection: string, keys: readonly (readonly [RoomId])[]) =>
      keys.map(([id]) => (collection === ROOM_ACTIVITY.name ? last.get(id)! + last.get(id)! : undefined)),
  };
  const active: { position: Position; recent: Recent } = { position: positionOf(3), recent: new Recent(START) };
  const known = new KnownRooms(views as unknown as Views, active as ActiveUsers);
  const user = new ActiveUser('@alice:x' as UserId, positionOf(3), 0);
  for (const id of [a, b, c]) user.setMembership(id, 'join', last.get(id)!);
  let now = 3;
  const listAfter = async (happened: readonly RoomId[], news: readonly RoomId[]): Promise<string> => {
    for (const id of happened) {
      active.position = positionOf(++now);
      active.recent.rooms.touch(id, active.position);
      if (news.includes(id)) last.set(id, active.position);
    }
    return (await known.list(user)).map(({ roomId }) => roomId[1]).join('');
  };
  expect(await listAfter([], [])).toBe('cba');
  expect(await listAfter([a], [a])).toBe('acb');
  // Not all that happens in a room is an event that counts: it stays where it is.
  expect(await listAfter([b], [])).toBe('acb');
  expect(await listAfter([c, b], [b])).toBe('bac');
  expect(await listAfter([c, a, b], [c, a, b])).toBe('bac');
});
