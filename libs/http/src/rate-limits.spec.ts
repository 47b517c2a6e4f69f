import { describe, expect, it, vi } from 'vitest';
import { loadConfig } from '#config/config';
import { systemClock } from '#kernel/clock';
import { BUCKETS, RateLimits } from './rate-limits.js';

function limits(settings: Record<string, string> = {}): { limits: RateLimits; clock: { time: number } } {
  const clock = { time: 0 };
  return { limits: new RateLimits(loadConfig(settings), { elapsed: () => clock.time }), clock };
}

describe('a rate limit', () => {
  it('allows a burst, then so many a second, and says how long to wait', () => {
    const { limits: all, clock } = limits();
    const { burst, perSecond } = BUCKETS.send;
    for (let i = 0; i < burst; i++) expect(all.take('send', '@a:x')).toBe(0);
    expect(all.take('send', '@a:x')).toBeCloseTo(1000 / perSecond);
    clock.time += 1000;
    for (let i = 0; i < perSecond; i++) expect(all.take('send', '@a:x')).toBe(0);
    expect(all.take('send', '@a:x')).toBeGreaterThan(0);
  });

  it('never saves up more than its burst', () => {
    const { limits: all, clock } = limits();
    expect(all.take('login', '@a:x')).toBe(0);
    clock.time += 24 * 3600 * 1000;
    for (let i = 0; i < BUCKETS.login.burst; i++) expect(all.take('login', '@a:x')).toBe(0);
    expect(all.take('login', '@a:x')).toBeGreaterThan(0);
  });

  it('counts each caller and each bucket alone', () => {
    const { limits: all } = limits();
    for (let i = 0; i < BUCKETS.registration.burst; i++) all.take('registration', '1.2.3.4');
    expect(all.take('registration', '1.2.3.4')).toBeGreaterThan(0);
    expect(all.take('registration', '1.2.3.5')).toBe(0);
    expect(all.take('login', '1.2.3.4')).toBe(0);
  });

  it('has nothing to do with the time of day: a clock set forward fills no bucket', () => {
    const all = new RateLimits(loadConfig({}), systemClock);
    for (let i = 0; i < BUCKETS.registration.burst; i++) all.take('registration', '1.2.3.4');
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 3_600_000);
    expect(all.take('registration', '1.2.3.4')).toBeGreaterThan(0);
    vi.restoreAllMocks();
  });

  it('is off where the configuration says so', () => {
    const { limits: all } = limits({ ANNALS_RATE_LIMITS: 'off' });
    for (let i = 0; i < 1000; i++) expect(all.take('registration', '1.2.3.4')).toBe(0);
  });
});
