import { describe, expect, it } from 'vitest';
import { Slots } from './slots.js';

describe('Slots', () => {
  it('let no more tasks run at once than there are, and all in order', async () => {
    const slots = new Slots(2);
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
    const all = await Promise.all([0, 1, 2, 3, 4].map((i) => slots.run(task(i))));
    expect(all).toEqual([0, 1, 2, 3, 4]);
    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect(most).toBe(2);
  });

  it('are waited for until a signal says otherwise, and not given to who has gone', async () => {
    const slots = new Slots(1);
    let end = (): void => {};
    const first = slots.run(() => new Promise<void>((resolve) => (end = resolve)));
    const patience = new AbortController();
    let hasRun = false;
    const second = slots.run(async () => void (hasRun = true), patience.signal);
    const third = slots.run(async () => 'third', patience.signal);
    const fourth = slots.run(async () => 'fourth');
    expect(slots.waiting).toBe(3);
    patience.abort(new Error('no time'));
    await expect(second).rejects.toThrow('no time');
    await expect(third).rejects.toThrow('no time');
    expect(slots.waiting).toBe(1);
    end();
    expect([await first, await fourth, hasRun]).toEqual([undefined, 'fourth', false]);
  });

  it('turn away who finds too many waiting, and none of those who wait', async () => {
    const slots = new Slots(1, 2);
    let end = (): void => {};
    const first = slots.run(() => new Promise<void>((resolve) => (end = resolve)));
    const waiting = [slots.run(async () => 'a'), slots.run(async () => 'b')];
    const refused = { errcode: 'M_LIMIT_EXCEEDED', status: 429, fields: { retry_after_ms: expect.any(Number) } };
    await expect(slots.run(async () => 'c')).rejects.toMatchObject(refused);
    end();
    expect([await first, ...(await Promise.all(waiting))]).toEqual([undefined, 'a', 'b']);
    expect(await slots.run(async () => 'd')).toBe('d');
  });

  it('give the place of a task that failed to the next', async () => {
    const slots = new Slots(1);
    const failing = slots.run(() => Promise.reject(new Error('no')));
    const next = slots.run(async () => 'yes');
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });
});
