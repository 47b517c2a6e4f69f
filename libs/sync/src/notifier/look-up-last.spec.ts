import { expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import { positionOf } from '#testing/position-of';
import { LastTouched } from './last-touched.js';
import { lookUpLast } from './look-up-last.js';

const room = '!room:x' as RoomId;

it('looks again where it looked in rows that were paused over a restart, once those go on', async () => {
  let last = positionOf(5);
  const views = {
    position: () => last,
    scan: async () => [{ key: [room, last], value: '{}' }],
  } as unknown as Views;
  const touched = new LastTouched(positionOf(8), 100);
  const hasHappened = (after: Position): Promise<boolean> => lookUpLast(views, [TIMELINE], touched, room, after);
  expect(await hasHappened(positionOf(5))).toBe(false);
  last = positionOf(8);
  expect(await hasHappened(positionOf(5))).toBe(true);
  // Now it is remembered.
  expect(touched.hasHappenedSince(room, positionOf(7))).toBe(true);
});

it('looks again where the rows had not come to what was asked for until they had been read', async () => {
  let last = positionOf(5);
  const views = {
    position: () => last,
    scan: async () => {
      const found = [{ key: [room, last], value: '{}' }];
      last = positionOf(8);
      return found;
    },
  } as unknown as Views;
  const touched = new LastTouched(positionOf(8), 100);
  expect(await lookUpLast(views, [TIMELINE], touched, room, positionOf(5))).toBe(false);
  expect(await lookUpLast(views, [TIMELINE], touched, room, positionOf(5))).toBe(true);
});
