import { describe, expect, it } from 'vitest';
import { positionOf } from '#testing/position-of';
import { LastTouched } from './last-touched.js';

const at = positionOf;

describe('LastTouched', () => {
  it('knows what happened behind its floor, and says when it does not know', () => {
    const touched = new LastTouched(at(10), 100);
    touched.touch('a', at(12));

    expect(touched.hasHappenedSince('a', at(11))).toBe(true);
    expect(touched.hasHappenedSince('a', at(12))).toBe(false);
    expect(touched.hasHappenedSince('a', at(5))).toBe(true);
    expect(touched.hasHappenedSince('b', at(10))).toBe(false);
    expect(touched.hasHappenedSince('b', at(9))).toBeUndefined();
  });

  it('forgets what was touched longest ago and then no longer claims to know it', () => {
    const touched = new LastTouched(at(0), 2);
    touched.touch('a', at(1));
    touched.touch('b', at(2));
    touched.touch('a', at(3));
    touched.touch('c', at(4));

    expect(touched.size).toBe(2);
    expect(touched.hasHappenedSince('a', at(2))).toBe(true);
    expect(touched.hasHappenedSince('b', at(1))).toBeUndefined();
    expect(touched.hasHappenedSince('b', at(2))).toBe(false);
  });

  it('takes what was looked up, but never over what it saw', () => {
    const touched = new LastTouched(at(10), 2);
    touched.learn('a', at(4), at(10));
    expect(touched.hasHappenedSince('a', at(3))).toBe(true);
    expect(touched.hasHappenedSince('a', at(4))).toBe(false);

    touched.touch('b', at(11));
    touched.learn('b', at(2), at(11));
    expect(touched.hasHappenedSince('b', at(5))).toBe(true);
    touched.learn('c', at(1), at(11));
    expect(touched.size).toBe(2);
  });

  it('takes nothing that was looked up in rows which are behind its floor: what those come to later is not noted', () => {
    const touched = new LastTouched(at(10), 100);
    touched.learn('a', at(4), at(9));
    expect(touched.hasHappenedSince('a', at(9))).toBeUndefined();
    touched.learn('a', at(10), at(10));
    expect(touched.hasHappenedSince('a', at(9))).toBe(true);
  });

  it('tells to which things something happened behind a position, unless it does not know or that was too often', () => {
    const touched = new LastTouched(at(10), 100);
    for (const [n, key] of ['a', 'b', 'a', 'c'].entries()) touched.touch(key, at(11 + n));

    expect([...touched.keysSince(at(14), 10)!]).toEqual([]);
    expect([...touched.keysSince(at(12), 10)!].sort()).toEqual(['a', 'c']);
    expect([...touched.keysSince(at(10), 10)!].sort()).toEqual(['a', 'b', 'c']);
    expect(touched.keysSince(at(9), 10)).toBeUndefined();
    expect(touched.keysSince(at(10), 3)).toBeUndefined();
  });

  it('tells the same of each thing by itself and of all together, however much happened', () => {
    const touched = new LastTouched(at(0), 20);
    const rooms = Array.from({ length: 37 }, (_, n) => `room${n}`).sort();
    for (let n = 1; n <= 500; n++) {
      touched.touch(rooms[(n * n) % 37]!, at(n));
      for (const since of [n - 1, n - 5, n - 30].filter((position) => position >= 0)) {
        const keys = touched.keysSince(at(since), 1_000);
        const each = rooms.filter((room) => touched.hasHappenedSince(room, at(since)) !== false);
        if (keys !== undefined) expect([...keys].sort()).toEqual(each);
      }
    }
  });
});
