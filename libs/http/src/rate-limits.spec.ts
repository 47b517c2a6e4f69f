import { describe, expect, it, vi } from 'vitest';
import { loadConfig } from '#config/config';
import { RATE_LIMITS } from '#config/rate-limits';
import { systemClock } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import type { RateLimit } from '#kernel/rate-limit';
import { keptAs, type LimitedRequest, PARTIES, RateLimits } from './rate-limits.js';

function limits(settings: Record<string, string> = {}): { limits: RateLimits; clock: { time: number } } {
  const clock = { time: 0 };
  return { limits: new RateLimits(loadConfig(settings), { elapsed: () => clock.time }), clock };
}

const by = (user: string, device: string, ip: string, more: { rateLimit?: RateLimit; appServiceId?: string } = {}) =>
  ({
    ip,
    requester: { userId: `@${user}:x` as UserId, deviceId: device as DeviceId, ...more },
  }) satisfies LimitedRequest;

/** How many of so many requests go on. */
function granted(all: RateLimits, request: (i: number) => LimitedRequest, of = 5000): number {
  let count = 0;
  for (let i = 0; i < of; i++) {
    try {
      all.checkRequest('send', request(i));
      count++;
    } catch {
      continue;
    }
  }
  return count;
}

describe('a rate limit', () => {
  it('allows a burst, then so many a second, and says how long to wait', () => {
    const { limits: all, clock } = limits();
    const { burst, perSecond } = RATE_LIMITS.send;
    for (let i = 0; i < burst; i++) expect(all.take('send', '@a:x')).toBe(0);
    expect(all.take('send', '@a:x')).toBeCloseTo(1000 / perSecond, 1);
    clock.time += 1000;
    for (let i = 0; i < perSecond; i++) expect(all.take('send', '@a:x')).toBe(0);
    expect(all.take('send', '@a:x')).toBeGreaterThan(0);
  });

  it('never saves up more than its burst', () => {
    const { limits: all, clock } = limits();
    expect(all.take('login', '@a:x')).toBe(0);
    clock.time += 24 * 3600 * 1000;
    for (let i = 0; i < RATE_LIMITS.login.burst; i++) expect(all.take('login', '@a:x')).toBe(0);
    expect(all.take('login', '@a:x')).toBeGreaterThan(0);
  });

  it('keeps little of names that are long, and counts each of them alone', () => {
    const { limits: all } = limits();
    const [one, other] = [`validation ${'x'.repeat(50_000)}`, `validation ${'x'.repeat(49_999)}y`];
    expect(keptAs('@a:x')).toBe('@a:x');
    expect(keptAs(one).length).toBeLessThan(50);
    for (let i = 0; i < RATE_LIMITS.password.burst; i++) all.check('password', one);
    expect(all.take('password', one)).toBeGreaterThan(0);
    expect(all.take('password', other)).toBe(0);
    all.giveBack('password', one);
    expect(all.take('password', one)).toBe(0);
  });

  it('counts who only says who they are with where they are, and all of them there, of whatever network', () => {
    const { limits: all } = limits();
    const { burst } = RATE_LIMITS.mail;
    const isGranted = (claimed: string, ip: string): boolean => {
      try {
        all.checkForClaimed('mail', claimed, ip);
        return true;
      } catch {
        return false;
      }
    };
    const count = (of: number, claimed: (n: number) => string, ip: string): number =>
      Array.from({ length: of }, (_, n) => isGranted(claimed(n), ip)).filter(Boolean).length;
    expect(count(100, () => '@a:x', '10.0.0.1')).toBe(burst * PARTIES.user);
    expect(isGranted('@a:x', '10.0.0.2')).toBe(true);
    expect(isGranted('@b:x', '10.0.0.1')).toBe(true);
    expect(count(1_000, (n) => `@${n}:x`, '10.0.0.3')).toBe(burst * PARTIES.address);
  });

  it('counts each caller and each class alone, and takes back what did not count', () => {
    const { limits: all } = limits();
    for (let i = 0; i < RATE_LIMITS.registration.burst; i++) all.take('registration', '1.2.3.4');
    expect(all.take('registration', '1.2.3.4')).toBeGreaterThan(0);
    expect(all.take('registration', '1.2.3.5')).toBe(0);
    expect(all.take('login', '1.2.3.4')).toBe(0);
    all.giveBack('registration', '1.2.3.4');
    expect(all.take('registration', '1.2.3.4')).toBe(0);
    expect(all.take('registration', '1.2.3.4')).toBeGreaterThan(0);
  });

  it('holds for a device, for its user by all of their devices, and for an address of the Internet', () => {
    const { burst } = RATE_LIMITS.send;
    const { limits: all } = limits();
    expect(granted(all, () => by('a', 'A', '192.168.0.1'))).toBe(burst);
    expect(granted(all, (i) => by('a', `D${i}`, '192.168.0.1'))).toBe(burst * (PARTIES.user - 1));
    expect(granted(all, () => by('b', 'A', '192.168.0.1'))).toBe(burst);
    expect(granted(all, (i) => by(`u${i}`, 'A', '8.8.8.8'))).toBe(burst * PARTIES.address);
    expect(granted(all, (i) => by(`v${i}`, 'A', '8.8.4.4'), 10)).toBe(10);
    // A reverse proxy that nobody was told of.
    expect(granted(all, (i) => by(`w${i}`, 'A', '127.0.0.1'))).toBe(5000);
    // Where nobody is known, also of such an address.
    expect(granted(all, () => ({ ip: '127.0.0.1' }))).toBe(burst);
    expect(granted(all, (i) => ({ ip: `2a00:1:1:1::${i.toString(16)}` }))).toBe(burst);
    const service = { appServiceId: 'bridge' };
    expect(granted(all, (i) => by(`x${i}`, '', '8.8.8.8', service))).toBe(5000);
    expect(granted(all, () => by('y', '', '8.8.8.8', service))).toBe(burst * PARTIES.user);
  });

  it('counts what is refused for nobody', () => {
    const { limits: all } = limits();
    const { burst } = RATE_LIMITS.send;
    expect(granted(all, () => by('a', 'A', '8.8.8.8'), burst * 5)).toBe(burst);
    expect(granted(all, () => by('a', 'B', '8.8.8.8'), burst)).toBe(burst);
    expect(granted(all, () => by('b', 'B', '8.8.8.8'), burst)).toBe(burst);
  });

  it('is that of the operator for a user who has one of their own, by whatever device and address', () => {
    const { limits: all, clock } = limits();
    const own = (perSecond: number, burst: number) => () =>
      by('a', 'A', '8.8.8.8', { rateLimit: { perSecond, burst } });
    expect(granted(all, own(0, 1))).toBe(5000);
    expect(granted(all, own(1, 3), 100)).toBe(3);
    clock.time += 2000;
    expect(granted(all, own(1, 3), 100)).toBe(2);
    expect(granted(all, () => by('b', 'A', '8.8.8.8'))).toBe(RATE_LIMITS.send.burst);
  });

  it('says in its refusal which it is, with its figures, and counts that', () => {
    const { limits: all } = limits({ ANNALS_RATE_LIMIT_FIGURES: 'login=1:0.5' });
    const request = by('a', 'A', '127.0.0.1');
    all.checkRequest('login', request);
    expect(() => all.checkRequest('login', request)).toThrow(
      expect.objectContaining({
        errcode: 'M_LIMIT_EXCEEDED',
        fields: {
          retry_after_ms: 2000,
          'dev.annals.limit': { class: 'login', by: 'device', burst: 1, per_second: 0.5 },
        },
      }),
    );
    expect([...all.refusals()]).toEqual([{ class: 'login', by: 'device', number: 1 }]);
  });

  it('lets a call be kept alive every five seconds, for hours', () => {
    const { limits: all, clock } = limits();
    for (let i = 0; i < 2000; i++) {
      for (const name of ['default', 'send'] as const) all.checkRequest(name, by('a', 'A', '8.8.8.8'));
      clock.time += 5000;
    }
  });

  it('has nothing to do with the time of day: a clock set forward fills nothing up', () => {
    const all = new RateLimits(loadConfig({}), systemClock);
    for (let i = 0; i < RATE_LIMITS.registration.burst; i++) all.take('registration', '1.2.3.4');
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 3_600_000);
    expect(all.take('registration', '1.2.3.4')).toBeGreaterThan(0);
    vi.restoreAllMocks();
  });

  it('remembers so many of each kind, and no more', () => {
    const { limits: all } = limits();
    for (let i = 0; i < 25_000; i++)
      all.checkRequest('send', by(`u${i}`, 'A', `8.${i >> 16}.${(i >> 8) & 255}.${i & 255}`));
    for (const { size, capacity } of Object.values(all.caches)) expect(size).toBeLessThanOrEqual(capacity);
    expect(all.caches['rate-limits-send-user']).toMatchObject({ size: 20_000 });
  });

  it('is off where the configuration says so', () => {
    const { limits: all } = limits({ ANNALS_RATE_LIMITS: 'off' });
    for (let i = 0; i < 1000; i++) expect(all.take('registration', '1.2.3.4')).toBe(0);
  });
});
