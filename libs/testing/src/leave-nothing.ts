import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, vi } from 'vitest';
import { listMore, listOpenThings } from './open-things.js';

/** What just ends has so long. */
const LOOKS = 100;
const PAUSE_MS = 50;

// Before each file of tests: they share a process, so what one of them leaves open takes memory and time from all that come after it,
// and under a clock that it has moved they wait for ever.
const before = listOpenThings();

// First of what is to be done afterwards, so the last that is.
afterAll(async () => {
  const isFake = vi.isFakeTimers();
  vi.useRealTimers();
  if (isFake) throw new Error('The tests of this file left vi.useFakeTimers() on');
  let left: string[] = listMore(before, listOpenThings());
  for (let looks = 0; left.length > 0 && looks < LOOKS; looks++) {
    await delay(PAUSE_MS);
    const now = listMore(before, listOpenThings());
    left = left.filter((thing) => now.includes(thing));
  }
  if (left.length > 0) throw new Error(`The tests of this file left open: ${left.join(', ')}`);
});
