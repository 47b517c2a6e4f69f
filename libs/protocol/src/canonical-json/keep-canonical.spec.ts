import { expect, it } from 'vitest';
import { type JsonObject } from '#kernel/json';
import { canonicalJson } from './canonical-json.js';
import { keepCanonical } from './keep-canonical.js';
import { parseJson } from './parse-json.js';

/** What is kept of a JSON text, as canonical JSON. */
const kept = (text: string): string => canonicalJson(keepCanonical(parseJson(text, { lenient: true }) as JsonObject));

it('keeps all that canonical JSON can hold', () => {
  const text = '{"a":[1,"x",null,true,{"b":{}}],"c":-9007199254740991,"ü":""}';
  expect(kept(text)).toBe(text);
});

it('leaves out numbers that are no integers or too large, wherever they are', () => {
  expect(kept('{"a":0.5,"b":[1,1.5,[2.5]],"c":{"d":1e300,"e":9007199254740993},"f":1}')).toBe(
    '{"b":[1,[]],"c":{},"f":1}',
  );
});

it('writes whole numbers as such', () => {
  expect(kept('{"a":1.0,"b":1e3,"c":-0}')).toBe('{"a":1,"b":1000,"c":0}');
});

it('leaves out half a surrogate pair', () => {
  expect(canonicalJson(keepCanonical({ a: '\ud800', '\udc00': 1, b: ['\ud800', 'x'] }))).toBe('{"b":["x"]}');
});
