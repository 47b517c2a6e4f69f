import { beforeEach, describe, expect, it } from 'vitest';
import type { RoomId, ServerName, UserId } from '#kernel/ids';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { LISTED_MOVES, LISTED_ROOMS } from '../projections/device-lists.projector.js';
import { isTracked } from './is-tracked.js';

const ALICE = '@alice:a.example' as UserId;
const BOB = '@bob:b.example' as UserId;
const CAROL = '@carol:c.example' as UserId;

describe('whether the server of a user tells us what changes of their devices', () => {
  let views: MemoryReadModels;
  beforeEach(() => void (views = new MemoryReadModels()));

  const move = (userId: UserId, room: string, at: number, joined = true): Promise<void> => {
    const [roomId, position] = [room as RoomId, positionOf(at)];
    const value = LISTED_ROOMS.codec.encode({ joined, position });
    return views.write([
      { collection: LISTED_ROOMS.name, key: [userId, roomId], value },
      { collection: LISTED_MOVES.name, key: [roomId, position, userId], value: joined ? 'join' : 'leave' },
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
});
