import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeKey, encodeKey, encodeRange, MAX_KEY_BYTES } from './key-encoding.js';

const part = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: fc.constantFrom('\0', '\x01', '\x02', 'a', 'ÿ', '\uffff', '😀', ''), maxLength: 6 }),
);
const key = fc.array(part, { minLength: 1, maxLength: 4 });

function compareKeys(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = Buffer.compare(Buffer.from(a[i]!), Buffer.from(b[i]!));
    if (order !== 0) return order;
  }
  return Math.sign(a.length - b.length);
}

const compareBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const contains = ({ from, to }: { from: string; to: string }, bytes: string): boolean => bytes >= from && bytes < to;

describe('encodeKey', () => {
  it('gives back every key, whatever its characters', () => {
    fc.assert(
      fc.property(key, (parts) => {
        expect(decodeKey(encodeKey(parts))).toEqual(parts);
      }),
    );
  });

  it('orders as the parts do by their UTF-8 bytes', () => {
    fc.assert(fc.property(key, key, (a, b) => compareBytes(encodeKey(a), encodeKey(b)) === compareKeys(a, b)));
  });

  it('puts what lies beyond the BMP behind what lies within, unlike the order of UTF-16', () => {
    expect(encodeKey(['\uffff']) < encodeKey(['😀'])).toBe(true);
  });

  it('writes bytes only', () => {
    fc.assert(
      fc.property(key, (parts) => Buffer.from(encodeKey(parts), 'latin1').toString('latin1') === encodeKey(parts)),
    );
  });

  it('refuses a key without parts and a key that is too long', () => {
    expect(() => encodeKey([])).toThrow(RangeError);
    expect(() => encodeKey(['x'.repeat(MAX_KEY_BYTES)])).toThrow(RangeError);
    expect(encodeKey(['x'.repeat(255), 'y'.repeat(255), 'z'.repeat(255), 'w'.repeat(255)])).toHaveLength(1024);
  });
});

describe('encodeRange', () => {
  it('holds exactly the keys that start with all the parts of a prefix', () => {
    fc.assert(
      fc.property(key, key, fc.boolean(), (prefix, tail, continues) => {
        const candidate = continues ? [...prefix, ...tail] : tail;
        const startsWith = prefix.every((each, i) => candidate[i] === each);
        return contains(encodeRange({ prefix }), encodeKey(candidate)) === startsWith;
      }),
    );
  });

  it('holds what lies strictly between after and before', () => {
    fc.assert(
      fc.property(key, key, key, (after, before, candidate) => {
        const inside = compareKeys(candidate, after) > 0 && compareKeys(candidate, before) < 0;
        return contains(encodeRange({ after, before }), encodeKey(candidate)) === inside;
      }),
    );
  });

  it('holds what lies between from and to, and both of them', () => {
    fc.assert(
      fc.property(key, key, key, (from, to, candidate) => {
        const inside = compareKeys(candidate, from) >= 0 && compareKeys(candidate, to) <= 0;
        return contains(encodeRange({ from, to }), encodeKey(candidate)) === inside;
      }),
    );
  });

  it('holds every key where nothing is asked', () => {
    fc.assert(fc.property(key, (parts) => contains(encodeRange({}), encodeKey(parts))));
  });
});
