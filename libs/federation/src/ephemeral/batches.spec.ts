import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Batches } from './batches.js';

let told: (readonly string[])[];
let failures: unknown[];
let servers: number;
let batches: Batches<string>;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  failures = [];
  servers = 0;
  batches = new Batches<string>(
    (gathered) => {
      told.push(gathered);
      return servers < 0 ? Promise.reject(new Error('a mistake')) : Promise.resolve(servers);
    },
    (error) => failures.push(error),
  );
});
afterEach(() => {
  batches.end();
  vi.useRealTimers();
});

it('tells the newest of each key, in the order in which these came, once for all that come together', async () => {
  batches.add('a', 'a1');
  batches.add('b', 'b1');
  batches.add('a', 'a2');
  await vi.advanceTimersByTimeAsync(199);
  expect(told).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(told).toEqual([['b1', 'a2']]);
});

it('gathers the longer the more servers were told, half a minute at most, and less again once they are fewer', async () => {
  const pauseAfter = async (count: number): Promise<number> => {
    servers = count;
    batches.add('a', 'before');
    await vi.advanceTimersByTimeAsync(30_000);
    const before = told.length;
    batches.add('a', 'behind');
    let waited = 0;
    for (; told.length === before; waited += 10) await vi.advanceTimersByTimeAsync(10);
    return waited;
  };
  expect(await pauseAfter(100)).toBe(2_000);
  expect(await pauseAfter(10_000)).toBe(30_000);
  expect(await pauseAfter(1)).toBe(200);
});

it('loses what could not be told, says why, and tells what comes then', async () => {
  servers = -1;
  batches.add('a', 'lost');
  await vi.advanceTimersByTimeAsync(200);
  expect(failures).toMatchObject([{ message: 'a mistake' }]);
  servers = 0;
  batches.add('a', 'told');
  await vi.advanceTimersByTimeAsync(200);
  expect(told.at(-1)).toEqual(['told']);
  expect(failures).toHaveLength(1);
});
