import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonNumber, type JsonValue } from '#kernel/json';
import { canonicalJson } from './canonical-json.js';
import { parseJson } from './parse-json.js';

const refused = expect.objectContaining({ errcode: 'M_BAD_JSON' });

/** Any value canonical JSON can hold. */
const jsonValue = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map((n) => n + 0),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.string({ unit: 'binary', maxLength: 8 }), tie('value'), { maxKeys: 6 }),
  ),
})).value;

/** The same value with the keys of every object in another order. */
function reversed(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null || value instanceof JsonNumber) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, reversed(inner as JsonValue)] as const);
  return Object.fromEntries(entries.toReversed());
}

/** The keys of every object in a canonical text, in the order written (the native parser would move integer keys). */
function keysInOrder(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)":/gu)].map((match) => match[1]!);
}

describe('canonicalJson', () => {
  // Specification, appendices, "Canonical JSON", "Examples".
  it.each([
    ['{}', '{}'],
    ['{"one": 1, "two": "Two"}', '{"one":1,"two":"Two"}'],
    ['{"b": "2", "a": "1"}', '{"a":"1","b":"2"}'],
    [
      `{"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe", "three_pids": [
        {"medium": "email", "address": "john.doe@example.org"}, {"medium": "msisdn", "address": "123456789"}]}}}`,
      '{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}',
    ],
    ['{"a": "日本語"}', '{"a":"日本語"}'],
    ['{"本": 2, "日": 1}', '{"日":1,"本":2}'],
    ['{"a": "\\u65E5"}', '{"a":"日"}'],
    ['{"a": null}', '{"a":null}'],
    ['{"a": -0, "b": 1e10}', '{"a":0,"b":10000000000}'],
  ])('writes the example %s of the specification', (given, expected) => {
    expect(canonicalJson(JSON.parse(given) as JsonValue)).toBe(expected);
    expect(canonicalJson(parseJson(given))).toBe(expected);
  });

  it('sorts keys by code point, also where UTF-16 would sort them otherwise', () => {
    const value = { '\u{1f600}': 1, '\uff5e': 2, '\ue000': 3, z: 4, é: 5, '10': 6, '9': 7 };
    expect(keysInOrder(canonicalJson(value))).toEqual(['10', '9', 'z', 'é', '\ue000', '\uff5e', '\u{1f600}']);
  });

  it('escapes only what JSON must escape, in the shortest form', () => {
    const text = '\0\u0007\b\t\n\u000b\f\r\u001f "\\/\u007f\u2028é';
    expect(canonicalJson(text)).toBe('"\\u0000\\u0007\\b\\t\\n\\u000b\\f\\r\\u001f \\"\\\\/\u007f\u2028é"');
    const long = text.repeat(50);
    expect(canonicalJson(long)).toBe(JSON.stringify(long));
  });

  it('leaves out keys without a value', () => {
    expect(canonicalJson({ b: undefined, a: 1, c: undefined })).toBe('{"a":1}');
  });

  it.each([1.5, 2 ** 53, -(2 ** 53), Number.NaN, Infinity, new JsonNumber('1.0'), new JsonNumber('-0')])(
    'refuses the number %s in the strict form',
    (number) => {
      expect(() => canonicalJson({ a: [number] })).toThrow(refused);
    },
  );

  it('keeps numbers in their own spelling in the lenient form', () => {
    const numbers = ['1.0', '1E3', '9007199254740993', '-0.0', '0.10'].map((text) => new JsonNumber(text));
    expect(canonicalJson([...numbers, 1.5, 0.00001, new JsonNumber('-0')], { lenient: true })).toBe(
      '[1.0,1E3,9007199254740993,-0.0,0.10,1.5,1e-05,0]',
    );
    expect(() => canonicalJson(Number.NaN, { lenient: true })).toThrow(refused);
  });

  it.each(['\ud800', 'a\udc00b', 'x'.repeat(200) + '\ud83d'])(
    'refuses half a surrogate pair, in values and keys',
    (text) => {
      expect(() => canonicalJson(text)).toThrow(refused);
      expect(() => canonicalJson({ [text]: 1 }, { lenient: true })).toThrow(refused);
    },
  );

  it('refuses what is not JSON', () => {
    const value = [undefined] as unknown as JsonValue;
    expect(() => canonicalJson(value)).toThrow(refused);
  });

  it('does not depend on the order of keys', () => {
    fc.assert(fc.property(jsonValue, (value) => canonicalJson(value) === canonicalJson(reversed(value))));
  });

  it('is read back as the same value and written again as the same text', () => {
    fc.assert(
      fc.property(jsonValue, (value) => {
        const text = canonicalJson(value);
        const back = parseJson(text);
        expect(back).toEqual(value);
        expect(canonicalJson(back)).toBe(text);
      }),
    );
  });

  it('orders the keys of any object as their UTF-8 bytes', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: 'binary' })), (keys) => {
        const text = canonicalJson(Object.fromEntries(keys.map((key) => [key, 0])));
        const expected = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect(text).toBe(`{${expected.map((key) => `${JSON.stringify(key)}:0`).join()}}`);
      }),
    );
  });
});
