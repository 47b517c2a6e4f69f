import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { positionOf } from '#testing/position-of';
import { RecentKeyChanges } from './recent-key-changes.js';

const userOf = (n: number): UserId => `@u${n}:a.example` as UserId;

describe('whose keys changed lately', () => {
  it('is told of a stretch: after its beginning, up to its end', () => {
    const recent = new RecentKeyChanges(positionOf(5));
    for (const n of [6, 7, 8]) recent.note(userOf(n), positionOf(n));
    recent.note(userOf(6), positionOf(9));
    const between = (after: number, upTo: number): UserId[] | undefined => {
      const users = recent.between(positionOf(after), positionOf(upTo));
      return users && [...users].toSorted();
    };
    expect(between(5, 8)).toEqual([6, 7, 8].map(userOf));
    expect(between(6, 7)).toEqual([userOf(7)]);
    expect(between(8, 9)).toEqual([userOf(6)]);
    expect(between(9, 20)).toEqual([]);
  });

  it('is not told of what was before it was noted, nor of what was noted too long ago', () => {
    const recent = new RecentKeyChanges(positionOf(5));
    expect(recent.between(positionOf(4), positionOf(9))).toBeUndefined();
    for (let n = 6; n < 10_000; n++) recent.note(userOf(n), positionOf(n));
    const floor = [...Array(10_000).keys()].find(
      (n) => recent.between(positionOf(n), positionOf(9_999)) !== undefined,
    )!;
    expect(floor).toBeGreaterThan(5);
    expect(recent.between(positionOf(floor), positionOf(9_999))!.size).toBe(9_999 - floor);
  });
});
