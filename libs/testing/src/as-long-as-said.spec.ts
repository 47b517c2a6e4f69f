import fc from 'fast-check';
import { expect, test } from 'vitest';

test('what properties are tried with is as long as they say', () => {
  const longest = (all: fc.Arbitrary<{ readonly length: number }>): number =>
    Math.max(...fc.sample(all, { numRuns: 500, seed: 1 }).map(({ length }) => length));
  expect(longest(fc.array(fc.nat(), { maxLength: 200 }))).toBeGreaterThan(150);
  expect(longest(fc.string({ maxLength: 200 }))).toBeGreaterThan(150);
});
