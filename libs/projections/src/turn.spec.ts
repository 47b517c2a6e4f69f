import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { inTurns } from './turn.js';

it('lets everything else have its turn where work takes long, and does not wait for it where it is short', async () => {
  const clock = vi.spyOn(performance, 'now');
  const order: string[] = [];
  const work = (name: string, ms: number): Promise<number> => {
    let now = 0;
    clock.mockImplementation(() => now);
    return inTurns(
      (function* () {
        for (let i = 0; i < 2; i++) {
          order.push(`${name} ${i}`);
          now += ms;
          yield;
        }
        return 0;
      })(),
    );
  };
  const other = nextTurn().then(() => order.push('other'));
  expect(await work('short', 1)).toBe(0);
  expect(order).toEqual(['short 0', 'short 1']);
  await work('long', 100);
  await other;
  expect(order).toEqual(['short 0', 'short 1', 'long 0', 'other', 'long 1']);
  clock.mockRestore();
});
