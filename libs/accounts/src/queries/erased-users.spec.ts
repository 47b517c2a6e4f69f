import { expect, test } from 'vitest';
import { positionOf } from '#testing/position-of';
import { erasureOf } from './erased-users.js';

const [FIRST, OPEN, SECOND] = [positionOf(10), positionOf(20), positionOf(30)];
const times = [{ at: FIRST, until: { position: OPEN, ts: 2_000 } }, { at: SECOND }];
const said = (n: number, sentAt = 0, isHistory?: boolean) => ({ position: positionOf(n), sentAt, isHistory });

test('what somebody said is erased by the next time at which they asked for it, and what they say since they are there again is not', () => {
  const [once] = [times.slice(0, 1)];
  expect([5, 15, 19].map((n) => erasureOf(once, said(n)))).toEqual([FIRST, FIRST, FIRST]);
  expect([20, 25, 40].map((n) => erasureOf(once, said(n)))).toEqual([undefined, undefined, undefined]);
  expect([5, 15, 25, 40].map((n) => erasureOf(times, said(n)))).toEqual([FIRST, FIRST, SECOND, SECOND]);
});

test('what is fetched from the past goes by when it was sent', () => {
  const once = times.slice(0, 1);
  expect(erasureOf(once, said(25, 1_999, true))).toBe(FIRST);
  expect(erasureOf(once, said(25, 2_000, true))).toBeUndefined();
});
