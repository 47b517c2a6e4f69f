import { describe, expect, it } from 'vitest';
import { Gate } from './gate.js';

describe('Gate', () => {
  it('lets no more than its width through at once, and all in order', async () => {
    const gate = new Gate(2);
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const task = (i: number) => async (): Promise<number> => {
      most = Math.max(most, ++running);
      order.push(i);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return i;
    };
    const all = await Promise.all([0, 1, 2, 3, 4].map((i) => gate.run(task(i))));
    expect(all).toEqual([0, 1, 2, 3, 4]);
    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect(most).toBe(2);
  });

  it('gives the place of a task that failed to the next', async () => {
    const gate = new Gate(1);
    const failing = gate.run(() => Promise.reject(new Error('no')));
    const next = gate.run(async () => 'yes');
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });
});
