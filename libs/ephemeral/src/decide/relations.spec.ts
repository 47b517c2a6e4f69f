import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { isNone, type Relation, Relations } from './relations.js';

const RELATIONS: readonly Relation[] = [
  {},
  { listed: 'asked' },
  { listed: 'accepted', watches: 'asked' },
  { watches: 'accepted' },
  { groups: ['over'] },
];

it('holds what a map would, knows how many are listed and wait, and stays as it was behind a change', () => {
  const change = fc.tuple(fc.nat(300), fc.constantFrom(...RELATIONS));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 400 }), (changes) => {
      const model = new Map<UserId, Relation>();
      let now = Relations.none;
      for (const [n, relation] of changes) {
        const userId = `@user${n}:b.example` as UserId;
        const before = now;
        const was = before.get(userId);
        now = now.with(userId, relation);
        expect(before.get(userId)).toBe(was);
        if (isNone(relation)) model.delete(userId);
        else model.set(userId, relation);
      }
      expect(new Map(now)).toEqual(model);
      const all = [...model.values()];
      expect(now.listed).toBe(all.filter(({ listed }) => listed !== undefined).length);
      expect(now.asking).toBe(all.filter(({ watches }) => watches === 'asked').length);
    }),
  );
});
