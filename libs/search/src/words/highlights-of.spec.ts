import { describe, expect, it } from 'vitest';
import { atOnce } from '#kernel/steps';
import { highlightsOf } from './highlights-of.js';
import { soughtWordsOf } from './words-of.js';

const highlights = (term: string, ...texts: readonly string[]): string[] =>
  atOnce(highlightsOf(term, soughtWordsOf(term), texts)).toSorted();

describe('words to be highlighted', () => {
  it('are those that were looked for and those that they mean, as they stand there', () => {
    expect(highlights('fruh rosen', 'FRÜH blühen die Rosenstöcke.', 'frühling')).toEqual(
      ['fruh', 'früh', 'frühling', 'rosen', 'rosenstöcke'].toSorted(),
    );
    expect(highlights('go', 'gone, go!')).toEqual(['go']);
  });

  it('are looked for in no more of a text than can be found, one text after another', () => {
    const long = `${'x'.repeat(9_000)} needles`;
    expect(highlights('needle', long)).toEqual(['needle']);
    const looks = highlightsOf('needle', soughtWordsOf('needle'), ['one', 'two', 'three']);
    for (let n = 0; n < 3; n++) expect(looks.next().done).toBe(false);
    expect(looks.next()).toEqual({ done: true, value: ['needle'] });
  });

  it('are as many as a client can make use of', () => {
    const many = Array.from({ length: 200 }, (_, i) => `needle${i}`).join(' ');
    expect(highlights('needle', many)).toHaveLength(50);
  });
});
