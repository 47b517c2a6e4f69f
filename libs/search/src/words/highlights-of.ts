import type { Steps } from '#kernel/steps';
import { foldText } from './fold-text.js';
import { isMeant, MAX_TEXT, type SoughtWord } from './words-of.js';

const WORD = /[\p{L}\p{N}\p{M}]+/gu;
/** What a client can make use of. */
const MOST = 50;

/**
 * The words to be highlighted in some texts, in the spelling in which they stand there, in lower case: those that were looked for, and
 * those that are meant by them. A step for each text: as much is looked at of it as is found.
 */
export function* highlightsOf(term: string, sought: readonly SoughtWord[], texts: Iterable<string>): Steps<string[]> {
  const found = new Set(wordsIn(term).slice(0, MOST));
  const seen = new Set<string>(found);
  for (const text of texts) {
    for (const word of wordsIn(text.slice(0, MAX_TEXT))) {
      if (seen.has(word)) continue;
      seen.add(word);
      const folded = foldText(word);
      if (sought.some((one) => isMeant(folded, one))) found.add(word);
    }
    if (found.size >= MOST) break;
    yield;
  }
  return [...found].slice(0, MOST);
}

function wordsIn(text: string): string[] {
  return text.toLowerCase().match(WORD) ?? [];
}
