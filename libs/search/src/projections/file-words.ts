import { type Answer, whenThere } from '#kernel/answer';
import type { OwnRows } from '#projections/projector';
import { BLOCK_TEXTS, numberKey, PAGE_TEXTS, PAGES, WORDS } from './search-collections.js';
import { linesOf, parseText, type Shelf } from './shelf-row.js';

/** The first sign that stands for a text of a block: behind all that means something in JSON or to a terminal. */
const FIRST_SIGN = 0xa1;
/** The rows of so many words are read side by side. PERF: on a server each takes a way there and back, and a text may have a thousand. */
const AT_ONCE = 100;

/** What stands for a text in the row of a word. */
function signOf(number: number): string {
  return String.fromCharCode(FIRST_SIGN + (number % BLOCK_TEXTS));
}

/** The numbers of the texts that a row of a word names, the last first. */
export function numbersOf(signs: string, block: number): number[] {
  const numbers: number[] = [];
  for (let i = signs.length - 1; i >= 0; i--) numbers.push(block + signs.charCodeAt(i) - FIRST_SIGN);
  return numbers;
}

function blockOf(number: number): number {
  return number - (number % BLOCK_TEXTS);
}

/**
 * Files the texts of some pages under their words, all of one block: from here on they are found by these. PERF: a row for each word of
 * a block, not of a text: a fifth of the rows, which stand side by side where they are written.
 */
export function fileWords(shelf: Shelf, from: number, to: number, rows: OwnRows): Answer<void> {
  const signs = new Map<string, string>();
  const range = { prefix: [shelf], from: [shelf, numberKey(from)], before: [shelf, numberKey(to)] } as const;
  return whenThere(PAGES.scan(rows, { ...range, limit: BLOCK_TEXTS / PAGE_TEXTS }), (pages) => {
    for (const [n, { value }] of pages.entries()) collect(value, from + n * PAGE_TEXTS, signs);
    const block = numberKey(blockOf(from));
    if (from % BLOCK_TEXTS === 0) {
      for (const [word, texts] of signs) WORDS.put(rows, [shelf, word, block], texts);
      return undefined;
    }
    return addAll(shelf, [...signs], blockOf(from), rows);
  });
}

function collect(page: string, first: number, signs: Map<string, string>): void {
  for (const [line, text] of linesOf(page).entries()) {
    const sign = signOf(first + line);
    for (const word of parseText(text).words) {
      const before = signs.get(word) ?? '';
      if (!before.endsWith(sign)) signs.set(word, before + sign);
    }
  }
}

/** Where the first texts of the block were filed before: they had many words. */
async function addAll(
  shelf: Shelf,
  signs: readonly (readonly [word: string, texts: string])[],
  block: number,
  rows: OwnRows,
): Promise<void> {
  await forEach(signs, ([word, texts]) => change(shelf, word, block, rows, (before) => before + texts));
}

/** Does something for some words, each of another row, many at once. */
async function forEach<T>(all: readonly T[], use: (one: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < all.length; i += AT_ONCE) await Promise.all(all.slice(i, i + AT_ONCE).map(use));
}

/** Files one text, which was filed before, under other words. */
export async function fileAnew(
  shelf: Shelf,
  number: number,
  before: readonly string[],
  after: readonly string[],
  rows: OwnRows,
): Promise<void> {
  const [block, sign] = [blockOf(number), signOf(number)];
  const [had, has] = [new Set(before), new Set(after)];
  const [gone, come] = [[...had].filter((word) => !has.has(word)), [...has].filter((word) => !had.has(word))];
  await forEach(gone, (word) => change(shelf, word, block, rows, (all) => all.replace(sign, '')));
  await forEach(come, (word) => change(shelf, word, block, rows, (all) => all + sign));
}

/** Changes the row of a word. Signs stand in their order, each once. */
async function change(
  shelf: Shelf,
  word: string,
  block: number,
  rows: OwnRows,
  to: (signs: string) => string,
): Promise<void> {
  const key = [shelf, word, numberKey(block)] as const;
  const before = (await WORDS.get(rows, key)) ?? '';
  const signs = to(before);
  if (signs === '') WORDS.delete(rows, key);
  else WORDS.put(rows, key, [...new Set(signs)].toSorted().join(''));
}
