import type { RateLimit } from '#kernel/rate-limit';

/*
 * The generic cell rate algorithm (ITU-T I.371, annex A, "virtual scheduling"): of whoever asks nothing is kept but the moment at which
 * their next request is expected (TAT), if they asked as evenly as they may. They may be early by as much as makes a burst.
 */

/** Sums of fractions are a little more, or less, than they are: nobody is refused for that. */
const ROUNDING_MS = 0.001;

/** The milliseconds between two requests that come as evenly as they may. */
export const intervalOf = ({ perSecond }: RateLimit): number => 1000 / perSecond;

/**
 * How many milliseconds a request that comes `now` is too early; 0 where it is not. `expected`: when it is expected, undefined
 * of who never asked.
 */
export function earlinessOf(expected: number | undefined, now: number, limit: RateLimit): number {
  const early = expected === undefined ? 0 : expected - (limit.burst - 1) * intervalOf(limit) - now;
  return early > ROUNDING_MS ? early : 0;
}

/** When the request after one that came `now` is expected. */
export function nextExpected(expected: number | undefined, now: number, limit: RateLimit): number {
  return Math.max(expected ?? now, now) + intervalOf(limit);
}
