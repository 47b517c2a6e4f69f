import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isMeant, soughtWordsOf, wordsOf } from './words-of.js';

/** Whether a text is found by another. */
function finds(sought: string, text: string): boolean {
  const words = wordsOf(text);
  return soughtWordsOf(sought).every((one) => words.some((word) => isMeant(word, one)));
}

describe('the words of a text', () => {
  it('are without case and diacritics, in whatever form they are written', () => {
    expect(wordsOf('Déjà-vu in ZÜRICH, ＦＵＬＬ ﬁne')).toEqual(['deja', 'vu', 'in', 'zurich', 'full', 'fine']);
    expect(wordsOf('Straße, Łódź, Ærø, ΣΊΣΥΦΟΣ')).toEqual(['strasse', 'lodz', 'aero', 'σισυφοσ']);
    expect(wordsOf('Cafe\u0301')).toEqual(wordsOf('CAFÉ'));
  });

  it('keep the vowels of scripts that write them as marks, and leave out those that are mostly left out', () => {
    expect(wordsOf('की के')).toEqual(['की', 'के']);
    expect(wordsOf('שָׁלוֹם מُحَمَّد')).toEqual(['שלום', 'מحمد']);
  });

  it('are cut by a dictionary where a script has no spaces', () => {
    expect(wordsOf('สวัสดีชาวโลก')).toEqual(['สวัสดี', 'ชาว', 'โลก']);
  });

  it.each([
    ['東京', '東京都に住んでいます'],
    ['京都', '東京都に住んでいます'],
    ['京', '東京都に住んでいます'],
    ['北京', '我们今天去北京'],
    ['서울', '서울에서 만나요'],
    ['ﾄｳｷｮｳ', 'トウキョウ'],
    ['matrix', 'Matrixを使う'],
  ])('have %s in %s', (sought, text) => {
    expect(finds(sought, text)).toBe(true);
  });

  it('are found by their beginnings where these have four letters, and whole where they are shorter', () => {
    expect(finds('martian', 'two Martians')).toBe(true);
    expect(finds('two', 'twofold')).toBe(false);
    expect(finds('martians men', 'men of Martians')).toBe(true);
    expect(finds('martians women', 'men of Martians')).toBe(false);
  });

  it('are bounded in number and length', () => {
    expect(wordsOf('a '.repeat(3_000))).toHaveLength(500);
    expect(wordsOf('x'.repeat(3_000))).toEqual(['x'.repeat(40)]);
    expect(wordsOf('漢'.repeat(3_000))).toHaveLength(500);
  });

  it('of any text find it, and none of them has a space', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        expect(finds(text, text)).toBe(true);
        expect(wordsOf(text).every((word) => word !== '' && !/[\s]/.test(word))).toBe(true);
      }),
    );
  });
});
