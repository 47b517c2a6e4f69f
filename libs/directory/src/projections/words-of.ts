/** The most of a text that is looked at, in UTF-16 units. */
const MAX_TEXT = 256;
/** The most words of a text, each in characters. */
const MAX_WORDS = 24;
const MAX_WORD = 32;

/** PERF: most names have no other characters, and then a word is what stands between two that are none (docs/performance.md). */
const ASCII = /^[\0-\x7f]*$/;
const ASCII_WORDS = /[0-9a-z$+<=>^`|~]+/g;
const WORDS = /[\p{L}\p{N}\p{S}\p{M}]+/gu;
/** What Latin, Greek and Cyrillic letters bear when taken apart. */
const ACCENTS = /[\u0300-\u036F]/g;
/** Characters of scripts that put no spaces between words, and those a syllable of Korean begins with. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\u1100-\u115F]/u;

/**
 * The words of a name, as whoever looks for it may write them: without regard to case, accents and width. Where a script puts
 * no spaces between words, whatever begins at one of its characters is a word. Bounded, however long the text is.
 */
export function wordsOf(text: string): string[] {
  const found = new Set<string>();
  if (ASCII.test(text)) {
    for (const word of text.slice(0, MAX_TEXT).toLowerCase().match(ASCII_WORDS) ?? []) {
      found.add(word.slice(0, MAX_WORD));
      if (found.size === MAX_WORDS) break;
    }
    return [...found];
  }
  for (const [word] of fold(text.slice(0, MAX_TEXT)).matchAll(WORDS)) {
    const letters = [...word];
    for (const [at, letter] of letters.entries()) {
      if (at === 0 || UNSPACED.test(letter)) found.add(letters.slice(at, at + MAX_WORD).join(''));
      if (found.size === MAX_WORDS) return [...found];
    }
  }
  return [...found];
}

/** Down, up and down again, since one step alone leaves pairs apart (ß and ss); a Σ at the end of a word is one as any. */
function fold(text: string): string {
  const plain = text.toWellFormed().normalize('NFKD').replace(ACCENTS, '');
  return plain.toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ');
}
