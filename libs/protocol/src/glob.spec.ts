import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileGlob, compileWordGlob, hasWords } from './glob.js';

/** The same glob as a regular expression: slow on some patterns, so only for tests. */
function expression(pattern: string): string {
  return pattern
    .replace(/[^\w*? ]/gu, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`)
    .replaceAll('*', '[^]*')
    .replaceAll('?', '[^]');
}

/** As the pattern of more places than one word of bits has. */
const long = (glob: string): string => `${glob}${'?'.repeat(31)}${glob}*${'a'.repeat(31)}`;
/** A place is a word boundary unless a word character stands on both sides of it. */
const BOUNDARY = '(?:(?<!\\w)|(?!\\w))';

const text = fc.string({ unit: fc.constantFrom('a', 'b', '_', '-', ' ', '\u{1f600}', '.'), maxLength: 10 });
const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '-', '\u{1f600}', '.'), maxLength: 6 });

describe('globs', () => {
  it('match whole texts as the regular expression of the same meaning does', () => {
    fc.assert(
      fc.property(pattern, text, (glob, value) => {
        expect(compileGlob(glob)(value)).toBe(new RegExp(`^${expression(glob)}$`, 'u').test(value));
      }),
      { numRuns: 2000 },
    );
  });

  it('match between word boundaries as the regular expression of the same meaning does', () => {
    fc.assert(
      fc.property(pattern, text, (glob, value) => {
        const expected = new RegExp(`${BOUNDARY}${expression(glob)}${BOUNDARY}`, 'u').test(value);
        expect(compileWordGlob(glob)(value)).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it('match long patterns as the regular expression of the same meaning does', () => {
    fc.assert(
      fc.property(pattern, text, text, fc.boolean(), (glob, one, other, isLike) => {
        const value = isLike
          ? long(one).replaceAll(/[*?]/g, 'x').replace('b', other)
          : `${one}${'a'.repeat(70)}${other}`;
        const expected = expression(long(glob));
        expect(compileGlob(long(glob))(value)).toBe(new RegExp(`^${expected}$`, 'u').test(value));
        expect(compileWordGlob(long(glob))(value)).toBe(
          new RegExp(`${BOUNDARY}${expected}${BOUNDARY}`, 'u').test(value),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('find words as the regular expression of the same meaning does', () => {
    const words = fc.string({ unit: fc.constantFrom('a', 'b', '-', ' ', '\u{1f600}'), maxLength: 4 });
    fc.assert(
      fc.property(words, text, (some, value) => {
        expect(hasWords(value, some)).toBe(new RegExp(`${BOUNDARY}${expression(some)}${BOUNDARY}`, 'u').test(value));
      }),
      { numRuns: 2000 },
    );
  });

  it('find words that are long, or found again and again where they are none, as that does', () => {
    const part = fc.constantFrom('ab', 'ab ab', 'ab ab a', 'b ab');
    const times = fc.constantFrom(0, 12, 70);
    fc.assert(
      fc.property(part, times, times, text, text, (some, inWords, inText, before, behind) => {
        const words = `${'ab '.repeat(inWords)}${some}`;
        const value = `${before}${'ab '.repeat(inText)}${behind}`;
        const expected = new RegExp(`${BOUNDARY}${expression(words)}${BOUNDARY}`, 'u');
        expect(hasWords(value, words)).toBe(expected.test(value));
        expect(hasWords(`${value}${words}`, words)).toBe(expected.test(`${value}${words}`));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['lunc?*', ['lunch plans', 'lunch'], [' lunch', 'lunc']],
    ['', [''], ['x']],
    ['*', ['', 'x'], []],
    ['a.c', ['a.c'], ['abc']],
    ['?', ['\u{1f600}', 'é'], ['', 'ab']],
  ])('match whole texts: %j', (glob, yes, no) => {
    expect(yes.every(compileGlob(glob))).toBe(true);
    expect(no.some(compileGlob(glob))).toBe(false);
  });

  it.each([
    ['ex*ple', ['An example event.', 'exple', 'An exciting triple-whammy'], ['hexample', 'examples are an ex']],
    ['cake', ['cake', 'a cake!', 'pancake cake', 'é-cake'], ['pancake', 'cake_', 'cakes']],
    ['@room', ['hey @room!', 'x@room'], ['@rooms']],
  ])('match words: %j', (glob, yes, no) => {
    expect(yes.every(compileWordGlob(glob))).toBe(true);
    expect(no.some(compileWordGlob(glob))).toBe(false);
  });

  it('take no more steps than text times pattern, where a backtracking search would take for ever', () => {
    const glob = '*a'.repeat(40) + 'b';
    expect(compileGlob(glob)('a'.repeat(5000))).toBe(false);
    expect(compileWordGlob(glob)('a '.repeat(2500))).toBe(false);
  });

  it('look for words in the time of the text, where to begin anew at each place of it would take for ever', () => {
    const [often, more] = ['a '.repeat(2_000_000), 'a '.repeat(300)];
    expect(hasWords(often, `${'a '.repeat(20_000)}b ${more}`)).toBe(false);
    // Its end is found at each place, and is none of a word.
    expect(hasWords('ab '.repeat(1_000_000), `${'ab '.repeat(20_000)}a`)).toBe(false);
  });
});
