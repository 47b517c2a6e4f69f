import { expect, test } from 'vitest';
import { nextNumber } from './next-number.js';

test('numbers follow each other, and none is given again that was lost when the log was put back', () => {
  expect(nextNumber(0, '', 1_000)).toBe(1);
  expect(nextNumber(7, '', 1_000)).toBe(8);
  expect(nextNumber(7, '0a1b2c3d', 1_000)).toBe(1_000);
  expect(nextNumber(1_000, '0a1b2c3d', 1_000)).toBe(1_001);
});
