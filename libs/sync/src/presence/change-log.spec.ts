import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { ChangeLog } from './change-log.js';

const users = ['a', 'b', 'c', 'd', 'e'].map((name) => `@${name}:x` as UserId);

describe('who changed', () => {
  it('is each told once, by their last change, and not who was taken out', () => {
    const step = fc.record({ userId: fc.constantFrom(...users), goes: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.nat(200), fc.nat(200), (steps, after, upTo) => {
        const log = new ChangeLog();
        const last = new Map<UserId, number>();
        let number = 0;
        for (const { userId, goes } of steps) {
          if (goes) log.delete(userId);
          else log.note(userId, ++number);
          if (goes) last.delete(userId);
          else last.set(userId, number);
        }
        const expected = [...last].filter(([, at]) => at > after && at <= upTo).toSorted(([, a], [, b]) => b - a);
        expect([...log.between(after, upTo)]).toEqual(expected.map(([userId]) => userId));
        expect(log.size).toBe(last.size);
      }),
    );
  });
});
