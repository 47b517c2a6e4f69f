import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { earlinessOf, intervalOf, nextExpected } from './gcra.js';

const limit = fc.record({ burst: fc.integer({ min: 1, max: 50 }), perSecond: fc.integer({ min: 1, max: 1000 }) });

describe('the generic cell rate algorithm', () => {
  it('lets through, in any stretch of time, a burst and what comes evenly, and no more', () => {
    fc.assert(
      fc.property(limit, fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 }), (figures, pauses) => {
        let [now, expected] = [0, undefined as number | undefined];
        const granted: number[] = [];
        for (const pause of pauses) {
          now += pause;
          if (earlinessOf(expected, now, figures) > 0) continue;
          expected = nextExpected(expected, now, figures);
          granted.push(now);
        }
        for (const [i, from] of granted.entries()) {
          const last = granted.at(-1)!;
          expect(granted.length - i).toBeLessThanOrEqual(figures.burst + (last - from) / intervalOf(figures) + 0.01);
        }
      }),
    );
  });

  it('says after how long exactly a request goes on', () => {
    fc.assert(
      fc.property(limit, (figures) => {
        let expected: number | undefined;
        for (let i = 0; i < figures.burst; i++) {
          expect(earlinessOf(expected, 1000, figures)).toBeLessThanOrEqual(0);
          expected = nextExpected(expected, 1000, figures);
        }
        const wait = earlinessOf(expected, 1000, figures);
        expect(wait).toBeGreaterThan(0);
        expect(wait).toBeLessThanOrEqual(intervalOf(figures) + 0.001);
        expect(earlinessOf(expected, 1000 + wait, figures)).toBeLessThanOrEqual(0);
      }),
    );
  });
});
