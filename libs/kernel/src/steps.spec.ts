import { expect, it } from 'vitest';
import { atOnce, each, type Steps } from './steps.js';

function* sum(numbers: readonly number[]): Steps<number> {
  let all = 0;
  yield* each(numbers, (one) => (all += one), 2);
  return all;
}

it('does all of what is in steps at once', () => {
  for (const numbers of [[], [1], [1, 2, 3, 4, 5]]) {
    expect(atOnce(sum(numbers))).toBe(numbers.reduce((a, b) => a + b, 0));
    expect([...sum(numbers)]).toHaveLength(Math.floor(numbers.length / 2));
  }
});
