import fc from 'fast-check';
import { expect, test } from 'vitest';
import { positionNumber, positionOf } from '#testing/position-of';
import {
  comparePlaces,
  formatPlace,
  isAfter,
  longPosition,
  parsePlace,
  parsePosition,
  parseShortPosition,
  type Place,
  shortPosition,
  START,
} from './position.js';

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
      expect(shortPosition(positionOf(a))).toBe(String(a));
      expect(longPosition(String(a))).toBe(positionOf(a));
    }),
  );
});

test('START is before every fact', () => {
  expect(START < positionOf(1)).toBe(true);
});

test('a position holds what a server can count, and nothing beyond', () => {
  const largest = 2n ** 63n - 1n;
  expect(parseShortPosition(String(largest))).toBe(String(largest));
  expect(parseShortPosition(String(largest + 1n))).toBeUndefined();
  expect(parseShortPosition(`0${largest}`)).toBeUndefined();
  expect(positionOf(largest - 1n) < positionOf(largest)).toBe(true);
});

test('a position is written without its zeros and read back', () => {
  expect([START, positionOf(7), positionOf(1_000)].map(shortPosition)).toEqual(['0', '7', '1000']);
  for (const text of ['', '-1', '1x', 'b1', ' 1']) expect(parseShortPosition(text), text).toBeUndefined();
});

test('the place before a fact comes after that of the fact before it, and before its own', () => {
  const [seven, eight] = [positionOf(7), positionOf(8)];
  const places: Place[] = [{ before: seven }, seven, { before: eight }, eight];
  expect(places.toReversed().toSorted(comparePlaces)).toEqual(places);
  expect(places.map((each) => isAfter(seven, each))).toEqual([true, false, false, false]);
  expect(places.map((each) => isAfter(eight, each))).toEqual([true, true, true, false]);
  expect(places.map(formatPlace)).toEqual(['b7', '7', 'b8', '8']);
  expect(places.map((each) => parsePlace(formatPlace(each)))).toEqual(places);
  for (const text of ['', 'b', 'bb1', 'b-1', 'a1']) expect(parsePlace(text), text).toBeUndefined();
});

test.each(['', '1', '-000000000000000001', '9999999999999999999', '000000000000000000x', '0000000000000001'])(
  '"%s" is no position',
  (text) => {
    expect(parsePosition(text)).toBeUndefined();
  },
);
