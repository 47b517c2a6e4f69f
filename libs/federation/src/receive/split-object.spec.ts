import { describe, expect, it } from 'vitest';
import { PeerUnavailable } from '#kernel/peer-errors';
import { atOnce } from '#kernel/steps';
import { Slices, splitObject } from './split-object.js';

const split = (text: string): Record<string, unknown> =>
  Object.fromEntries(
    [...atOnce(splitObject(Buffer.from(text)))].map(([key, value]) => [
      key,
      value instanceof Slices ? Array.from(value, textOf) : textOf(value),
    ]),
  );

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('an answer with many events', () => {
  it('is split into the bytes of each, exactly as they came', () => {
    const state = ['{"a":1.0, "b":[1,{"c":"]}\\""}]}', '{}', '{"é":"\\\\"}'];
    const text = `{ "origin" : "a.example","state":[ ${state.join(' ,\n')} ], "event":{"x":[]}, "n":-1.5e3 ,"auth_chain":[]}`;
    expect(split(text)).toEqual({
      origin: '"a.example"',
      state,
      event: '{"x":[]}',
      n: '-1.5e3',
      auth_chain: [],
    });
  });

  it('is found behind a status, as API v1 has it', () => {
    expect(split('[200, {"state":[{}]}]')).toEqual({ state: ['{}'] });
  });

  it.each(['', '[', '[200]', '{"a"', '{"a":', '{"state":[{"b":"c}]}', '{"state":[{', '{"state":[,]}', 'null', '"{"'])(
    'is refused where it is %j',
    (text) => {
      expect(() => split(text)).toThrow(PeerUnavailable);
    },
  );

  it.each([
    ['elements', `{"state":[${'1,'.repeat(1_000_000)}1]}`],
    ['elements of several lists', `{"state":[${'1,'.repeat(600_000)}1],"auth_chain":[${'1,'.repeat(600_000)}1]}`],
    ['keys', `{${'"a":1,'.repeat(1000)}"a":1}`],
    ['bytes of one', `{"state":[{"a":"${'x'.repeat(1024 * 1024)}"}]}`],
    ['bytes of one that nests', `{"event":{"a":[${'[1],'.repeat(300_000)}1]}}`],
    ['bytes of one text', `{"origin":"${String.raw`\"`.repeat(600_000)}"}`],
    ['bytes of one number', `{"n":${'1'.repeat(2_000_000)}}`],
    ['bytes between two', `{"n":${' '.repeat(2_000_000)}1}`],
  ])('is refused where it has too many %s', (_, text) => {
    expect(() => split(text)).toThrow(PeerUnavailable);
  });

  it('takes a key that is given twice for the last of it, and the text of a key as JSON has it', () => {
    expect(split('{"st\\u0061te":[1],"state":[2,"x"]}')).toEqual({ state: ['2', '"x"'] });
  });
});
