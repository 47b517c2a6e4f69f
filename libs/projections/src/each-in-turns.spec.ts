import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { turnsOf } from '#testing/turns-of';
import { eachInTurns } from './each-in-turns.js';

it('lets everything else have its turn while the same is done for many, so many at a time, and answers in their order', async () => {
  const all = Array.from({ length: 500 }, (_, i) => i);
  let [underWay, most] = [0, 0];
  let answered: number[] = [];
  const turns = await turnsOf(async () => {
    answered = await eachInTurns(all, 4, async (one) => {
      most = Math.max(most, ++underWay);
      // Twice, for they begin in turns of their own.
      if (one % 50 === 0) await nextTurn(await nextTurn());
      underWay--;
      return 2 * one;
    });
  });
  expect(answered).toEqual(all.map((one) => 2 * one));
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThan(5);
  expect(turns).toBeGreaterThan(100);
});
