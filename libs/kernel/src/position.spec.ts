import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parsePosition, positionNumber, positionOf, START } from './position.js';

const place = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

test('positions sort as texts the way their numbers do', () => {
  fc.assert(
    fc.property(place, place, (a, b) => {
      expect(positionOf(a) < positionOf(b)).toBe(a < b);
    }),
  );
});

test('a position reads back as it was written', () => {
  fc.assert(
    fc.property(place, (a) => {
      expect(positionNumber(positionOf(a))).toBe(a);
      expect(parsePosition(positionOf(BigInt(a)))).toBe(positionOf(a));
    }),
  );
});

test('START is before every fact', () => {
  expect(START < positionOf(1)).toBe(true);
});

test.each(['', '1', '-000000000000001', '9999999999999999', '000000000000000x'])('"%s" is no position', (text) => {
  expect(parsePosition(text)).toBeUndefined();
});
