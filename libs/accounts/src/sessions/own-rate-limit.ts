import type { RateLimit } from '#kernel/rate-limit';
import type { RateLimitOverridden } from '../facts/account-facts.js';

/** The limit that an operator has set for a user, as the doors take it. A burst of nothing would let nobody ask at all. */
export function ownRateLimit(set: RateLimitOverridden | undefined): RateLimit | undefined {
  return set && Object.freeze({ perSecond: set.per_second, burst: Math.max(1, set.burst) });
}
