import { beforeEach, describe, expect, it } from 'vitest';
import { type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { SERVER_LOG } from '#rooms/projections/server-log';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { LISTED_ROOMS } from '../projections/device-lists.projector.js';
import { isTracked } from './is-tracked.js';

const ALICE = '@alice:a.example' as UserId;
const BOB = '@bob:b.example' as UserId;
const CAROL = '@carol:c.example' as UserId;

describe('whether the server of a user tells us what changes of their devices', () => {
  let views: MemoryReadModels;
  beforeEach(() => void (views = new MemoryReadModels()));

  /** Somebody comes or goes: of our server, so many are there then. */
  const move = (userId: UserId, room: string, at: number, joined: boolean | number = true): Promise<void> => {
    const [roomId, position] = [room as RoomId, positionOf(at)];
    const value = LISTED_ROOMS.codec.encode({ joined: joined !== false, position });
    const log = SERVER_LOG.codec.encode({ joined: Number(joined), invited: 0 });
    return views.write([
      { collection: LISTED_ROOMS.name, key: [userId, roomId], value },
      { collection: SERVER_LOG.name, key: [roomId, serverNameOf(userId), position], value: log },
    ]);
  };
  const tracked = (since?: number): Promise<boolean> =>
    isTracked(views, BOB, 'a.example' as ServerName, since === undefined ? undefined : positionOf(since));

  it('is so while somebody of ours is in a room with them', async () => {
    await move(BOB, '!r:b', 1);
    await move(CAROL, '!r:b', 2);
    expect(await tracked()).toBe(false);
    await move(ALICE, '!r:b', 3);
    expect(await tracked()).toBe(true);
    await move(BOB, '!r:b', 4, false);
    expect(await tracked()).toBe(false);
  });

  it('is not so by somebody of ours who has left', async () => {
    await move(BOB, '!r:b', 1);
    await move(ALICE, '!r:b', 2, false);
    expect(await tracked()).toBe(false);
  });

  it('has been so ever since only where both have been there, in one room', async () => {
    await move(BOB, '!r:b', 2);
    await move(ALICE, '!r:b', 4);
    expect([await tracked(3), await tracked(4)]).toEqual([false, true]);
    await move(ALICE, '!s:b', 1);
    await move(BOB, '!s:b', 6);
    expect([await tracked(1), await tracked(3), await tracked(6)]).toEqual([false, false, true]);
  });

  it('has not been so where they came after ours, later than that', async () => {
    await move(ALICE, '!r:b', 1);
    await move(BOB, '!r:b', 5);
    expect([await tracked(4), await tracked(5)]).toEqual([false, true]);
  });

  it('has been so where some of ours went, as long as there was one', async () => {
    await move(BOB, '!r:b', 1);
    await move(ALICE, '!r:b', 2);
    await move('@dora:a.example' as UserId, '!r:b', 3, 2);
    await move(ALICE, '!r:b', 4, 1);
    expect(await tracked(2)).toBe(true);
    await move('@dora:a.example' as UserId, '!r:b', 5, false);
    await move(ALICE, '!r:b', 6);
    expect([await tracked(2), await tracked(5), await tracked(6)]).toEqual([false, false, true]);
  });
});
