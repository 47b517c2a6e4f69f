import { foldText } from './fold-text.js';

/** The most words of a text that are found. */
const MAX_WORDS = 500;
/** What is looked at of a text: no more words than that stand in it, and whoever sends 64 KB costs what a long letter costs. */
export const MAX_TEXT = 8_000;
/** What lies behind it of a word is not compared. */
const MAX_LENGTH = 40;
/** Words of so many letters are found by their beginnings. */
const LEAST_BEGINNING = 4;

/** Letters and digits, with the vowels that some scripts write as marks. */
const WORD = /[\p{L}\p{N}\p{M}]+/gu;
const PLAIN_WORD = /^[a-z0-9]*$/;
/** Scripts that put no spaces between words, or hang endings on them, and whose pairs of letters say enough. */
const PAIRED = '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}ー々';
/** Scripts that put no spaces between words, of which a dictionary knows where these end. */
const UNSPACED = '\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}';
const RUN = new RegExp(`[${PAIRED}]+|[${UNSPACED}]+|[^${PAIRED}${UNSPACED}]+`, 'gu');
const STARTS_PAIRED = new RegExp(`^[${PAIRED}]`, 'u');
const STARTS_UNSPACED = new RegExp(`^[${UNSPACED}]`, 'u');

/** PERF: takes 70 µs for a sentence of a hundred letters, where the expressions take 2: it is for those who need it alone. */
const SEGMENTER = new Intl.Segmenter(undefined, { granularity: 'word' });

/** One word that is looked for. */
export interface SoughtWord {
  readonly word: string;
  /** Whatever begins with it is meant too. */
  readonly isBeginning: boolean;
}

/**
 * The words of a text in their order, folded, as they stand in the index. Of a run of Chinese, Japanese or Korean each pair of
 * neighbours, and the last one alone: so a part of the run is found, whatever a dictionary would make of the whole.
 */
export function wordsOf(text: string): string[] {
  const words: string[] = [];
  for (const run of runsOf(text)) {
    if (STARTS_PAIRED.test(run)) {
      const letters = [...run];
      for (let i = 0; i < letters.length; i++) words.push(letters[i]! + (letters[i + 1] ?? ''));
    } else words.push(run);
    if (words.length >= MAX_WORDS) return words.slice(0, MAX_WORDS);
  }
  return words;
}

/** The words of what somebody looks for, each once. All of them must be there. */
export function soughtWordsOf(text: string): SoughtWord[] {
  const words = new Map<string, SoughtWord>();
  const add = (word: string, isBeginning: boolean): void => void words.set(word, { word, isBeginning });
  for (const run of runsOf(text)) {
    if (STARTS_PAIRED.test(run)) {
      const letters = [...run];
      if (letters.length === 1) add(run, true);
      for (let i = 0; i + 1 < letters.length; i++) add(letters[i]! + letters[i + 1]!, false);
    } else add(run, run.length >= LEAST_BEGINNING);
  }
  return [...words.values()];
}

/** Whether a word of a text is meant by one that is looked for. */
export function isMeant(word: string, { word: sought, isBeginning }: SoughtWord): boolean {
  return isBeginning ? word.startsWith(sought) : word === sought;
}

/** Whether the words of a text have among them all that is looked for. */
export function hasAll(words: readonly string[], sought: readonly SoughtWord[]): boolean {
  return sought.every((one) => words.some((word) => isMeant(word, one)));
}

/** The words of a text in their order; what is written without spaces in runs, or as a dictionary cuts it. */
function* runsOf(text: string): Generator<string, void> {
  for (const [match] of foldText(text.slice(0, MAX_TEXT)).matchAll(WORD)) {
    if (PLAIN_WORD.test(match)) yield cut(match);
    else for (const [run] of match.matchAll(RUN)) yield* cutRun(run);
  }
}

function* cutRun(run: string): Generator<string, void> {
  if (STARTS_PAIRED.test(run)) yield run;
  else if (STARTS_UNSPACED.test(run)) {
    for (const { segment, isWordLike } of SEGMENTER.segment(run)) if (isWordLike === true) yield cut(segment);
  } else yield cut(run);
}

function cut(word: string): string {
  return word.length <= MAX_LENGTH ? word : [...word].slice(0, MAX_LENGTH).join('');
}
