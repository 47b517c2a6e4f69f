import { expect, it } from 'vitest';
import { doublingPause } from './doubling-pause.js';

it('is the first after one failure, twice as long after each further one, and never longer than the longest', () => {
  expect([0, 1, 2, 3, 4, 5, 5_000].map((failures) => doublingPause(failures, 10, 100))).toEqual([
    10, 10, 20, 40, 80, 100, 100,
  ]);
});
