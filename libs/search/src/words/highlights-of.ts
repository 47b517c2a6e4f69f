import { foldText } from './fold-text.js';
import { isMeant, soughtWordsOf } from './words-of.js';

const WORD = /[\p{L}\p{N}\p{M}]+/gu;
/** What a client can make use of. */
const MOST = 50;

/**
 * The words to be highlighted in some texts, in the spelling in which they stand there, in lower case: those that were looked for, and
 * those that are meant by them.
 */
export function highlightsOf(term: string, texts: readonly string[]): string[] {
  const sought = soughtWordsOf(term);
  const own = new Set(wordsIn(term));
  const found = new Set<string>(own);
  for (const text of texts) {
    for (const word of wordsIn(text)) {
      const folded = foldText(word);
      if (sought.some((one) => isMeant(folded, one))) found.add(word);
    }
  }
  return [...found].slice(0, MOST);
}

function wordsIn(text: string): string[] {
  return text.toLowerCase().match(WORD) ?? [];
}
