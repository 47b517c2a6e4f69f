import { expect, it } from 'vitest';
import { GivenUpClaims } from './given-up.js';

/** By the clock of this process, in milliseconds since the epoch. */
const STARTED = 1_700_000_000_000;
const MINUTE = 60_000;

/** The claims as a process sees them, and its clocks. */
function processOf(isShared: boolean) {
  const clock = { time: STARTED, passed: 0 };
  const claims = new GivenUpClaims({ now: () => clock.time, elapsed: () => clock.passed }, isShared);
  const isGivenUp = (at: number, revision = 0): boolean =>
    claims.has({ stream: 'alias-#lobby:a.example', revision, metadata: { at } as never });
  return { clock, isGivenUp };
}

it('takes a claim for given up at once where it was there before the only process started', () => {
  const { isGivenUp } = processOf(false);
  expect(isGivenUp(STARTED - 1)).toBe(true);
  expect(isGivenUp(STARTED + 1)).toBe(false);
});

it.each([-MINUTE, -1, 0, MINUTE, 1e12])(
  'takes a claim of another process for given up once this one has seen it for a minute (written at %i by the clock of that)',
  (by) => {
    const { clock, isGivenUp } = processOf(true);
    expect(isGivenUp(STARTED + by)).toBe(false);
    clock.time += 10 * MINUTE;
    clock.passed += MINUTE - 1;
    expect(isGivenUp(STARTED + by)).toBe(false);
    clock.passed++;
    expect(isGivenUp(STARTED + by)).toBe(true);
  },
);

it('begins the minute anew with each claim', () => {
  const { clock, isGivenUp } = processOf(true);
  expect(isGivenUp(STARTED)).toBe(false);
  clock.passed += MINUTE;
  expect(isGivenUp(STARTED, 2)).toBe(false);
});
