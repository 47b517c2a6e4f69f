/** Nothing but lower-casing happens to these. */
const PLAIN = /^[\0-\x7f]*$/;

/**
 * What is written above or below letters: Latin, Greek and Cyrillic diacritics, and the vowel points of Hebrew and Arabic, which mostly
 * are left out. Not the vowels of Indic scripts, without which words are others.
 */
const DIACRITICS =
  /[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670]/g;

/** Letters that no decomposition takes apart. */
const LETTERS: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  ł: 'l',
  ı: 'i',
  þ: 'th',
  ς: 'σ',
};
const LETTER = /[ßæœøđðłıþς]/g;

/**
 * A text as it is compared: without case, diacritics and forms of the same letter (full-width, ligatures). Of texts that differ in
 * nothing else the same.
 */
export function foldText(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase();
  const bare = text.normalize('NFKD').toLowerCase().replace(DIACRITICS, '');
  return bare.replace(LETTER, (letter) => LETTERS[letter] ?? letter).normalize('NFC');
}
