import type { ShelvedText } from '../projections/shelf-row.js';
import { isMeant, type SoughtWord } from '../words/words-of.js';

/** How many words a text has mostly: shorter ones say more by each. */
const MEAN_LENGTH = 10;
/** How soon a word that stands there again and again says nothing more, and how much the length counts: as in BM25. */
const SATURATION = 1.2;
const LENGTH_WEIGHT = 0.75;
/** What begins with a word is less than the word. */
const BEGINNING = 0.6;
/** Two words side by side, as they were asked for. */
const SIDE_BY_SIDE = 0.5;
/** A name or a topic is about the whole room. */
const OF_ROOM = 1.5;

/** How well a text that matches does so: higher is closer. */
export function rankMatch({ words, kind }: Pick<ShelvedText, 'words' | 'kind'>, sought: readonly SoughtWord[]): number {
  const damping = SATURATION * (1 - LENGTH_WEIGHT + (LENGTH_WEIGHT * words.length) / MEAN_LENGTH);
  let rank = 0;
  for (const [i, one] of sought.entries()) {
    const exact = words.filter((word) => word === one.word).length;
    const meant = words.filter((word) => isMeant(word, one)).length;
    const often = exact + BEGINNING * (meant - exact);
    rank += (often * (SATURATION + 1)) / (often + damping);
    const next = sought[i + 1];
    if (next !== undefined && words.some((word, n) => isMeant(word, one) && isMeant(words[n + 1] ?? '', next)))
      rank += SIDE_BY_SIDE;
  }
  return (kind === 'body' ? rank : rank * OF_ROOM) / Math.max(1, sought.length);
}
