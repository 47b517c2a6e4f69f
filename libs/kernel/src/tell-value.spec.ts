import { expect, it } from 'vitest';
import { JsonNumber } from './json.js';
import { tellValue } from './tell-value.js';

it.each([
  ['a text', 'a text'],
  [7, '7'],
  [null, 'null'],
  [undefined, 'nothing'],
  [new JsonNumber('1.0'), '1'],
  [{ toString: 1, valueOf: null }, '{"toString":1,"valueOf":null}'],
  [[Object.create(null)], '[{}]'],
])('%o is told as %s', (value, told) => {
  expect(tellValue(value)).toBe(told);
});
