import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { eachInTurns } from './each-in-turns.js';

const all = Array.from({ length: 300 }, (_, i) => i);

it('does the same for many, so many at a time, and answers in their order', async () => {
  let [underWay, most] = [0, 0];
  const answered = await eachInTurns(all, 4, async (one) => {
    most = Math.max(most, ++underWay);
    await (one % 3 === 0 ? nextTurn() : Promise.resolve());
    underWay--;
    return 2 * one;
  });
  expect(answered).toEqual(all.map((one) => 2 * one));
  expect(most).toBe(4);
  expect(await eachInTurns([], 4, async () => 1)).toEqual([]);
});

it('lets everything else have its turn behind each that takes long, whether or not it waits for anything', async () => {
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  let [inTurn, most] = [0, 0];
  let counting: NodeJS.Immediate | undefined;
  const count = (): void => void (counting = setImmediate(() => ((inTurn = 0), count())));
  try {
    count();
    await eachInTurns(all, 256, async () => {
      most = Math.max(most, ++inTurn);
      now += 3;
    });
    expect(most).toBeLessThan(4);
  } finally {
    clearImmediate(counting);
    clock.mockRestore();
  }
});

it('throws what the first throws that fails', async () => {
  const failing = eachInTurns(all, 2, (one) => (one === 7 ? Promise.reject(new Error('no')) : Promise.resolve(one)));
  await expect(failing).rejects.toThrow('no');
});
