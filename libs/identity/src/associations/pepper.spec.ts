import { expect, it } from 'vitest';
import type { Views } from '#projections/views';
import { MemoryEventStore } from '#testing/memory-event-store';
import { Pepper } from './pepper.js';

const DAY_MS = 24 * 3600_000;
const NOW = 1_795_866_360_500;

it('is another one each week, also once a clock that was years ahead is put right', async () => {
  const store = new MemoryEventStore();
  const time = { now: NOW };
  const views = { whenProcessed: async () => {} } as unknown as Views;
  const pepper = new Pepper(store, { now: () => time.now }, views, { identityRole: undefined });
  const setBy = async (days: number): Promise<number> => {
    time.now = NOW + days * DAY_MS;
    await pepper.look();
    return store.facts.length;
  };
  expect(await setBy(0)).toBe(1);
  expect(await setBy(6.9)).toBe(1);
  expect(await setBy(7)).toBe(2);
  expect(await setBy(4_000)).toBe(3);
  expect(await setBy(8)).toBe(4);
  expect(await setBy(9)).toBe(4);
  await pepper.onModuleDestroy();
});
