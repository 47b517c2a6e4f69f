import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonNumber, type JsonObject } from '#kernel/json';
import type { MatrixError } from '#kernel/matrix-error';
import { canonicalJson } from './canonical-json.js';
import { parseJson, type ParseJsonOptions } from './parse-json.js';

/** The errcode with which a text is refused; undefined where it is read. */
function refusal(text: string | Uint8Array, options?: ParseJsonOptions): string | undefined {
  try {
    parseJson(text, options);
    return undefined;
  } catch (error) {
    return (error as MatrixError).errcode;
  }
}

/** Arrays within arrays. */
function nested(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth);
}

describe('parseJson', () => {
  it.each(['', '{', '{"a":1}x', '[1,]', "{'a':1}", '01', 'NaN', '"\u0001"', '\ufeff{}', '{"a":1}{"b":2}'])(
    'refuses %j as no JSON',
    (text) => {
      expect(refusal(text)).toBe('M_NOT_JSON');
      expect(refusal(text, { lenient: true })).toBe('M_NOT_JSON');
    },
  );

  it('reads UTF-8 bytes and refuses others', () => {
    expect(parseJson(Buffer.from('{"a":"日"}'))).toEqual({ a: '日' });
    expect(parseJson(new TextEncoder().encode('[]'))).toEqual([]);
    expect(refusal(Buffer.from([0x22, 0xff, 0x22]))).toBe('M_NOT_JSON');
    expect(refusal(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))).toBe('M_NOT_JSON');
  });

  it.each(['{"a":1,"a":1}', '[{"b":{"x":1,"y":2,"x":{}}}]', '{"a":1,"\\u0061":2}', '{"__proto__":1,"__proto__":2}'])(
    'refuses the key that appears twice in %s',
    (text) => {
      expect(refusal(text)).toBe('M_BAD_JSON');
      expect(refusal(text, { lenient: true })).toBe('M_BAD_JSON');
    },
  );

  it('takes the same key in different objects, and colons, brackets and quotes within strings, for what they are', () => {
    const value = { a: { a: ':{[' }, b: [{ a: '\\' }, { a: '\\\\":"' }], ':': '"a":1,"a":1' };
    expect(parseJson(JSON.stringify(value))).toEqual(value);
  });

  it.each(['"\\ud800"', '{"\\uDC00":1}', '["\\ud83dx"]', '"\\ude00\\ud83d"', '"\ud800"'])(
    'refuses half a surrogate pair in %s',
    (text) => {
      expect(refusal(text)).toBe('M_BAD_JSON');
    },
  );

  it('refuses more values than it was told, whatever they are, and does not count what stands in strings', () => {
    const options = { lenient: true, maxValues: 10 };
    for (const one of ['1', '{}', '[]', '""', '{"a":1}', '1.5']) {
      expect(refusal(`[${Array.from({ length: 11 }, () => one).join()}]`, options)).toBe('M_TOO_LARGE');
    }
    expect(refusal(`{"a":[1,2,3],"b":{"c":4,"d":[5,6]}}`, options)).toBeUndefined();
    expect(refusal(String.raw`["1,2,3,4,5,6,7,8,9,[[[[[[[[[[[","\\",",,,,,,,,,,,,\""]`, options)).toBeUndefined();
    expect(refusal(String.raw`["\\",1,2,3,4,5,6,7,8,9,10,"\\"]`, options)).toBe('M_TOO_LARGE');
    expect(refusal('["never closed, , , , , , , , , , ,', options)).toBe('M_NOT_JSON');
  });

  it('takes whole surrogate pairs, escaped or not, and a backslash before "ud800"', () => {
    expect(parseJson('["\\ud83d\\ude00","\u{1f600}","\\\\ud800"]')).toEqual(['\u{1f600}', '\u{1f600}', '\\ud800']);
  });

  it('refuses nesting beyond the limit, 100 unless told', () => {
    expect(refusal(nested(100))).toBeUndefined();
    expect(refusal(nested(101))).toBe('M_BAD_JSON');
    expect(refusal(nested(100_000))).toBe('M_BAD_JSON');
    expect(refusal('{"a":'.repeat(101) + '1' + '}'.repeat(101))).toBe('M_BAD_JSON');
    expect(refusal(nested(5), { maxDepth: 4 })).toBe('M_BAD_JSON');
    expect(refusal('[[],[],{"a":{}},[[]]]', { maxDepth: 3 })).toBeUndefined();
  });

  it.each(['{"__proto__":{"admin":true},"constructor":1}', '{"__proto__":{"admin":true},"constructor":1,"n":1.0}'])(
    'keeps __proto__ as a key like any other in %s',
    (text) => {
      const value = parseJson(text, { lenient: true }) as JsonObject;
      expect(Object.getPrototypeOf(value)).toBeNull();
      expect(Object.keys(value).slice(0, 2)).toEqual(['__proto__', 'constructor']);
      expect(value['admin']).toBeUndefined();
      expect(value['toString']).toBeUndefined();
      expect(canonicalJson(value, { lenient: true })).toContain('"__proto__":{"admin":true}');
    },
  );

  it.each([
    '1.0',
    '1.5',
    '1.0e3',
    '10e-1',
    '1e16',
    '-0.0',
    '9007199254740992',
    '-9007199254740992',
    '1e400',
    '123456789012345678',
  ])('refuses the number %s in the strict form', (text) => {
    expect(refusal(text)).toBe('M_BAD_JSON');
    expect(refusal(`{"a":[${text} ]}`)).toBe('M_BAD_JSON');
  });

  it.each(['0', '-1', '9007199254740991', '-9007199254740991', '1000000000000000', '1234567890123456'])(
    'reads the integer %s',
    (text) => {
      expect(parseJson(text)).toBe(Number(text));
      expect(parseJson(`{"a":[1,${text}]}`, { lenient: true })).toEqual({ a: [1, Number(text)] });
    },
  );

  // Specification, appendices, "Canonical JSON", the last example.
  it.each([
    ['-0', '0'],
    ['1e10', '10000000000'],
    ['1E3', '1000'],
    ['-2e+2', '-200'],
    ['0e9', '0'],
  ])('reads %s as the integer %s in the strict form', (text, integer) => {
    expect(canonicalJson(parseJson(`{"a":${text}}`))).toBe(`{"a":${integer}}`);
    expect(
      canonicalJson(parseJson(`[9007199254740993,${text}]`, { lenient: true, plainIntegers: true }), { lenient: true }),
    ).toBe(`[9007199254740993,${integer}]`);
    expect(parseJson(text, { lenient: true })).toEqual(new JsonNumber(text));
  });

  it('keeps what is no integer of a double, where integers are to be plain', () => {
    const kept = ['1.0', '1e16', '1.5e3', '10e-1', '-0.0', '9007199254740993'];
    const value = parseJson(`[${kept.join()}]`, { lenient: true, plainIntegers: true });
    expect(value).toEqual(kept.map((text) => new JsonNumber(text)));
  });

  it('spells what is no integer as others do, where that is asked for', () => {
    const text = '[1.0,0.00001,1e-05,1E-7,1e21,1e3,0.50,-0.0,9007199254740993,1e999999999]';
    const read = (some: string) => canonicalJson(parseJson(some, { lenient: true, respell: true }), { lenient: true });
    expect(read(text.replace(',1e999999999', ''))).toBe('[1.0,1e-05,1e-05,1e-07,1e+21,1000,0.5,0.0,9007199254740993]');
    expect(refusal(text, { lenient: true, respell: true })).toBe('M_BAD_JSON');
  });

  it('refuses integers of more than 64 bits there, which some servers take nothing of', () => {
    const [least, most] = ['-9223372036854775808', '9223372036854775807'];
    const respell = { lenient: true, respell: true };
    expect(canonicalJson(parseJson(`[${least},${most}]`, respell), { lenient: true })).toBe(`[${least},${most}]`);
    for (const number of ['-9223372036854775809', '9223372036854775808', '100000000000000000000', '1'.repeat(400)])
      expect(refusal(`{"n":[${number}]}`, respell)).toBe('M_BAD_JSON');
    // As they came they are kept: that is signed already.
    expect(canonicalJson(parseJson('[100000000000000000000]', { lenient: true }), { lenient: true })).toBe(
      '[100000000000000000000]',
    );
  });

  it('reads doubles where they are asked for, and refuses what they would change', () => {
    const text = '{"a":[1.0,9007199254740991,-0,1e15,0.50]}';
    expect(parseJson(text, { lenient: true, doubles: true })).toEqual(JSON.parse(text));
    for (const number of ['1e400', '9007199254740993', '0.1234567890123456789'])
      expect(refusal(`{"a":${number}}`, { lenient: true, doubles: true })).toBe('M_BAD_JSON');
    expect(refusal('{"a":1,"a":1}', { lenient: true, doubles: true })).toBe('M_BAD_JSON');
  });

  it.each(['{"__proto__":{"admin":true},"n":1}', '{"__proto__":{"admin":true},"n":1.0}'])(
    'makes usual objects where they are asked for, with __proto__ as a key of their own, of %s',
    (text) => {
      const value = parseJson(text, { lenient: true, keepPrototypes: true }) as JsonObject;
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(Object.keys(value)).toEqual(['__proto__', 'n']);
      expect(value['admin']).toBeUndefined();
    },
  );

  it('keeps a spelling that a double would lose, in the lenient form', () => {
    const kept = ['1.0', '1e3', '-0', '9007199254740993', '1.50', '1e400', '0.00001'];
    const plain = ['1.5', '-2.25', '1e+21', '7', '1e-05'];
    const value = parseJson(`{"kept": [${kept.join(' , ')}], "plain":[${plain.join()}], "s":"1.0"}`, { lenient: true });
    expect(value).toEqual({ kept: kept.map((text) => new JsonNumber(text)), plain: plain.map(Number), s: '1.0' });
  });

  it('reads any JSON text as the native parser does, in the lenient form', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), fc.nat(3), (value, indent) => {
        const parsed = parseJson(JSON.stringify(value, null, indent), { lenient: true });
        // Kept numbers become plain ones on their way through JSON.stringify.
        expect(JSON.parse(JSON.stringify(parsed))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('keeps every number of a canonical text as it was spelled, in the lenient form', () => {
    const spelling = fc.stringMatching(/^-?(?:0|[1-9]\d{0,20})(?:\.\d{1,5})?(?:[eE][+-]?\d{1,3})?$/);
    const spellings = fc.array(spelling.filter((text) => text !== '-0'));
    fc.assert(
      fc.property(spellings, fc.string(), (texts, string) => {
        const text = `{"a":[${texts.join()}],"b":${JSON.stringify(string)}}`;
        expect(canonicalJson(parseJson(text, { lenient: true }), { lenient: true })).toBe(text);
      }),
    );
  });
});
