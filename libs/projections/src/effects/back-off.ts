import { doublingPause } from '#kernel/doubling-pause';

const LONGEST_PAUSE_MS = 60_000;

/**
 * The pause before the next try, in milliseconds, after so many failed ones: each twice as long, up to a minute, and shortened by
 * up to half, so that what failed together does not come back together. `chance`: from 0 to 1.
 */
export function pauseAfter(failedTries: number, firstMs: number, chance: number): number {
  return doublingPause(failedTries, firstMs, LONGEST_PAUSE_MS) * (1 - chance / 2);
}
