import { describe, expect, it } from 'vitest';
import { MOST_STICKY_MS, stickinessOf } from './stickiness.js';

const untilOf = (sticky: unknown, sentAt: unknown = 1_000, receivedAt = 2_000): number | undefined =>
  stickinessOf({ msc4354_sticky: sticky, origin_server_ts: sentAt } as never, receivedAt)?.until;

describe('an event is sticky', () => {
  it('from when it was sent, which nobody puts into the future, for an hour at most', () => {
    expect(untilOf({ duration_ms: 500 })).toBe(1_500);
    expect(untilOf({ duration_ms: 0 })).toBe(1_000);
    expect(untilOf({ duration_ms: 500 }, 9_000)).toBe(2_500);
    expect(untilOf({ duration_ms: MOST_STICKY_MS * 2 })).toBe(1_000 + MOST_STICKY_MS);
    const long = { msc4354_sticky: { duration_ms: MOST_STICKY_MS * 2 }, origin_server_ts: 0 };
    expect(stickinessOf(long, 0)?.durationMs).toBe(MOST_STICKY_MS * 2);
  });

  it('only where it says a whole number of milliseconds', () => {
    for (const duration_ms of [-1, 1.5, '500', null, undefined, Infinity, 2 ** 60, {}, []]) {
      expect([duration_ms, untilOf({ duration_ms })]).toEqual([duration_ms, undefined]);
    }
    for (const sticky of [undefined, null, 500, 'sticky', [{ duration_ms: 5 }]])
      expect(untilOf(sticky)).toBeUndefined();
    expect(untilOf({ duration_ms: 5 }, 'never')).toBeUndefined();
  });
});
