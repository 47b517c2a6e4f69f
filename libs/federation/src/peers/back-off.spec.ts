import { beforeEach, describe, expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import { BackOff } from './back-off.js';

const SERVER = 'b.example' as ServerName;
const HOUR = 3_600_000;

let now: number;
let chance: number;
let backOff: BackOff;

beforeEach(() => {
  [now, chance] = [0, 0.5];
  backOff = new BackOff({ elapsed: () => now }, () => chance);
});

/** Asks in vain, once more. */
function fail(): number {
  backOff.noteFailure(SERVER, now, 'silence');
  return backOff.remaining(SERVER);
}

describe('a server that does not answer', () => {
  it('is left alone for pauses that double up to an hour', () => {
    const pauses: number[] = [];
    for (let i = 0; i < 11; i++) {
      pauses.push(fail() / 1000);
      now += backOff.remaining(SERVER);
      expect(backOff.remaining(SERVER)).toBe(0);
    }
    expect(pauses).toEqual([10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
  });

  it('is left alone a fifth longer or shorter, by chance', () => {
    chance = 0;
    expect(fail()).toBe(8000);
    now += 8000;
    chance = 1;
    expect(fail()).toBe(24_000);
  });

  it('has not answered once where many asked together', () => {
    for (let i = 0; i < 20; i++) backOff.noteFailure(SERVER, 0, 'silence');
    expect(backOff.remaining(SERVER)).toBe(10_000);
    now = 10_000;
    backOff.noteFailure(SERVER, 9_999, 'of one that asked before');
    expect(backOff.find(SERVER)).toMatchObject({ failures: 1, reason: 'silence' });
  });

  it('begins anew once it was there', () => {
    fail();
    now += 10_000;
    fail();
    backOff.forget(SERVER);
    expect([backOff.remaining(SERVER), backOff.find(SERVER)]).toEqual([0, undefined]);
    expect(fail()).toBe(10_000);
  });
});

describe('a server that asks us to slow down', () => {
  it('is left alone for as long, up to an hour', () => {
    backOff.noteBusy(SERVER, 1500);
    expect(backOff.remaining(SERVER)).toBe(1500);
    backOff.noteBusy(SERVER, 10 * HOUR);
    expect(backOff.remaining(SERVER)).toBe(HOUR);
  });

  it('has answered: what comes after begins anew', () => {
    for (let i = 0; i < 3; i++) now += fail();
    backOff.noteBusy(SERVER, 1000);
    now += 1000;
    expect(fail()).toBe(10_000);
  });
});
