import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Position } from '#kernel/position';
import { AGAIN_MS, AT_LATEST_MS, RegularLooks } from './regular-looks.js';

let looked: number;
let nextMs: number;
/** Called while it is looked. */
let during: () => void;
let failure: Error | undefined;
let failed: unknown[];
let looks: RegularLooks;

beforeEach(() => {
  vi.useFakeTimers();
  [looked, nextMs, during, failure, failed] = [0, 1_000, () => {}, undefined, []];
  const look = async (): Promise<number> => {
    looked++;
    during();
    if (failure !== undefined) throw failure;
    return nextMs;
  };
  looks = new RegularLooks({ look, failed: (error) => failed.push(error) });
});
afterEach(async () => {
  await looks.end();
  vi.useRealTimers();
});

const log = { head: async () => 'b' as Position };
const views = (moved: Promise<Position>) => ({ whenMoved: () => moved });
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

it('it is looked when something is due, at the latest in an hour, and soon after what did not succeed', async () => {
  looks.begin(views(Promise.resolve('b' as Position)), ['rows'], log);
  await pass(0);
  expect(looked).toBe(1);
  await pass(999);
  expect(looked).toBe(1);
  nextMs = Infinity;
  await pass(1);
  expect(looked).toBe(2);
  failure = new Error('away');
  await pass(AT_LATEST_MS);
  expect([looked, failed]).toEqual([3, [failure]]);
  failure = undefined;
  await pass(AGAIN_MS);
  expect([looked, failed.length]).toEqual([4, 1]);
});

it('whoever asks has it looked at once, and the time is counted from there', async () => {
  looks.soon();
  await pass(900);
  looks.soon();
  await pass(900);
  expect(looked).toBe(2);
  await pass(100);
  expect(looked).toBe(3);
});

it('what may be done later is looked at by then, whatever pause or look is under way, and puts nothing off', async () => {
  nextMs = Infinity;
  looks.soon();
  await pass(0);
  for (let minutes = 0; minutes < 4; minutes++) {
    looks.within(AGAIN_MS);
    await pass(60_000);
  }
  expect(looked).toBe(1);
  await pass(60_000);
  expect(looked).toBe(2);
  await pass(AT_LATEST_MS - 1_000);
  looks.within(500);
  looks.within(AGAIN_MS);
  await pass(500);
  expect(looked).toBe(3);
  during = () => looks.within(AGAIN_MS);
  looks.soon();
  await pass(AGAIN_MS);
  expect(looked).toBe(5);
  during = () => {};
  await pass(AGAIN_MS);
  await pass(AT_LATEST_MS - 1_000);
  expect(looked).toBe(6);
  looks.within(AGAIN_MS);
  await pass(1_000);
  expect(looked).toBe(7);
});

it('nobody looks where the projections ended before they began, nor after the end', async () => {
  looks.begin(views(Promise.reject(new Error('ended'))), ['rows'], log);
  await pass(AT_LATEST_MS);
  expect(looked).toBe(0);
  looks.soon();
  await pass(0);
  await looks.end();
  looks.soon();
  await pass(2 * AT_LATEST_MS);
  expect([looked, looks.isStopped]).toEqual([1, true]);
});
