import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wordsOf } from './words-of.js';

describe('the words of a name', () => {
  it('are the same however it is written', () => {
    expect(wordsOf('Zoë  Müller-Straße')).toEqual(['zoe', 'muller', 'strasse']);
    expect(wordsOf('ZOE MULLER STRASSE')).toEqual(['zoe', 'muller', 'strasse']);
    expect(wordsOf('Ｗｉｄｅ ﬁne İstanbul')).toEqual(['wide', 'fine', 'istanbul']);
    expect(wordsOf('Οδυσσεύς')).toEqual(wordsOf('ΟΔΥΣΣΕΥΣ'));
    expect(wordsOf('ΟΔΥΣ')[0]).toBe(wordsOf('Οδυσσεύς')[0]!.slice(0, 4));
    expect(wordsOf('🦊 fox_2 (away)')).toEqual(['🦊', 'fox', '2', 'away']);
    expect(wordsOf(' -- ')).toEqual([]);
  });

  it('are the same whether or not other letters stand beside them', () => {
    const text = fc.string({ unit: 'binary-ascii', maxLength: 40 });
    const property = fc.property(text, (name) => {
      expect(wordsOf(`${name} é`)).toEqual([...new Set([...wordsOf(name), 'e'])]);
    });
    fc.assert(property);
  });

  it('begin anywhere in scripts that put no spaces between them', () => {
    expect(wordsOf('山田太郎')).toEqual(['山田太郎', '田太郎', '太郎', '郎']);
    const [whole] = wordsOf('김철수');
    expect(wordsOf('김철수')).toContain(wordsOf('철수')[0]);
    expect(whole!.startsWith(wordsOf('김')[0]!)).toBe(true);
    expect(wordsOf('alexander')).toEqual(['alexander']);
  });

  it('are few and short, however long the name', () => {
    const many = wordsOf(Array.from({ length: 5_000 }, (_, i) => `w${i}`).join(' '));
    expect(many.length).toBeLessThanOrEqual(24);
    expect(wordsOf('山'.repeat(5_000)).length).toBeLessThanOrEqual(24);
    const [long] = wordsOf('🦊'.repeat(5_000));
    expect([[...long!].length, long!.isWellFormed()]).toEqual([32, true]);
    expect(wordsOf('a\ud800').every((word) => word.isWellFormed())).toBe(true);
  });
});
