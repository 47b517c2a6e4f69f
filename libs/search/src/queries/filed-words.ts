import type { Views } from '#projections/views';
import { numbersOf } from '../projections/file-words.js';
import { BLOCK_TEXTS, type NumberKey, numberKey, numberOfKey, WORDS } from '../projections/search-collections.js';
import type { Shelf } from '../projections/shelf-row.js';
import type { SoughtWord } from '../words/words-of.js';
import type { SearchEffort } from './search-effort.js';

/** How many blocks of a word are read at once: few at first, for mostly no more are asked for. */
const FIRST_WINDOW = 64;
const WINDOW = 256;
/** A word that stands in so few blocks leads the way: of the others those blocks alone are read. */
const RARE = 64;
/** The most words that one beginning stands for on a shelf, in the order of the alphabet. */
const MOST_ENDINGS = 12;
/** Blocks are read one by one where a word stands in so many times as many on the way. */
const MOST_BETWEEN = 2;
/** On a shelf of so few blocks the rows of all of them are read at once. */
const FEW_BLOCKS = 4;
/** Behind all numbers. */
const LAST = '~' as NumberKey;

/** What is looked for on which shelf. */
export interface FiledSearch {
  readonly views: Views;
  readonly shelf: Shelf;
  /** How many texts are filed. */
  readonly filed: number;
  readonly sought: readonly SoughtWord[];
  /** From the last text back, or from the first one on. */
  readonly reverse: boolean;
  /** The block to begin with. */
  readonly from: number;
  readonly effort: SearchEffort;
}

/** What was found of a shelf up to a block, this one included. */
export interface FiledNumbers {
  readonly block: number;
  /** In their order. */
  readonly numbers: readonly number[];
}

/** The blocks in which one word stands, read as far as somebody asks, from one back or on. */
class WordBlocks {
  readonly texts = new Map<number, string>();
  isRead = false;
  /** The block up to which it is read. */
  reached: number | undefined;
  /** Those that were read on, in their order, and how many of them were looked at. */
  readonly #inOrder: number[] = [];
  #looked = 0;
  #window = FIRST_WINDOW;

  constructor(
    private readonly search: FiledSearch,
    private readonly word: string,
  ) {}

  /** As one that is read: these are all blocks in which the word stands. */
  static read(search: FiledSearch, word: string, blocks: ReadonlyMap<number, string>): WordBlocks {
    const { reverse, from } = search;
    const read = new WordBlocks(search, word);
    for (const [block, texts] of blocks) {
      if (reverse ? block > from : block < from) continue;
      read.texts.set(block, texts);
      read.#inOrder.push(block);
    }
    if (reverse) read.#inOrder.reverse();
    read.isRead = true;
    return read;
  }

  async readOn(): Promise<void> {
    const { word, reached } = this;
    const { views, shelf, reverse, from, effort } = this.search;
    const keyAt = (block: number) => [shelf, word, numberKey(block)] as const;
    const behind = reverse
      ? { before: keyAt(reached ?? from + 1) }
      : reached === undefined
        ? { from: keyAt(from) }
        : { after: keyAt(reached) };
    const limit = this.#window;
    const rows = await WORDS.scan(views, { prefix: [shelf, word], ...behind, reverse, limit });
    for (const { key, value } of rows) {
      this.texts.set((this.reached = numberOfKey(key[2])), value);
      this.#inOrder.push(this.reached);
    }
    this.isRead = rows.length < limit;
    this.#window = Math.min(WINDOW, limit * 2);
    await effort.spend(rows.length);
  }

  /** Those blocks up to one that were read on and not looked at before. PERF: who asks again and again looks at each once. */
  lookUpTo(end: number): readonly number[] {
    const { reverse } = this.search;
    const from = this.#looked;
    const isWithin = (block: number | undefined): boolean =>
      block !== undefined && (reverse ? block >= end : block <= end);
    while (isWithin(this.#inOrder[this.#looked])) this.#looked++;
    return this.#inOrder.slice(from, this.#looked);
  }

  /** Reads some blocks, which stand in their order. PERF: with all between them, where the word does not stand in many more than these. */
  async readAt(blocks: readonly number[]): Promise<void> {
    for (;;) {
      const unknown = blocks.filter((block) => this.#isUnknown(block));
      const last = unknown.at(-1);
      if (last === undefined) return;
      if (this.#rowsUpTo(last) > MOST_BETWEEN * unknown.length) return this.#readAlone(unknown);
      await this.readOn();
    }
  }

  #isUnknown(block: number): boolean {
    if (this.isRead || this.texts.has(block)) return false;
    const { reached } = this;
    return reached === undefined || (this.search.reverse ? block < reached : block > reached);
  }

  /** In about how many blocks the word stands from where it was read up to a block, if it is there as often as before. */
  #rowsUpTo(block: number): number {
    const { from } = this.search;
    const begin = this.reached ?? from;
    const often = this.reached === undefined ? 1 : this.texts.size / (Math.abs(begin - from) / BLOCK_TEXTS + 1);
    return (often * Math.abs(block - begin)) / BLOCK_TEXTS;
  }

  async #readAlone(unknown: readonly number[]): Promise<void> {
    const { views, shelf, effort } = this.search;
    const rows = await WORDS.getMany(
      views,
      unknown.map((block) => [shelf, this.word, numberKey(block)] as const),
    );
    for (const [i, value] of rows.entries()) if (value !== undefined) this.texts.set(unknown[i]!, value);
    await effort.spend(rows.length);
  }
}

/** What stands on a shelf of a word that is looked for: itself, or all that begins with it. */
class SoughtBlocks {
  constructor(readonly words: readonly WordBlocks[]) {}

  get isRead(): boolean {
    return this.words.every(({ isRead }) => isRead);
  }

  get blocks(): readonly number[] {
    return [...new Set(this.words.flatMap(({ texts }) => [...texts.keys()]))];
  }

  /** As `WordBlocks.lookUpTo`. */
  lookUpTo(end: number): readonly number[] {
    return [...new Set(this.words.flatMap((word) => word.lookUpTo(end)))];
  }

  /** The signs of the texts of a block that have it, of each word by itself. */
  textsOf(block: number): readonly string[] {
    const found: string[] = [];
    for (const { texts } of this.words) {
      const signs = texts.get(block);
      if (signs !== undefined) found.push(signs);
    }
    return found;
  }

  async readAt(blocks: readonly number[]): Promise<void> {
    for (const word of this.words) await word.readAt(blocks);
  }
}

/**
 * The numbers of the texts of a shelf that are filed under all words that are looked for, block after block, the last first or the first;
 * now and then how far it has come without any. PERF: of a word that stands in few blocks these alone are looked at of the others; words
 * that are frequent are read in step.
 */
export async function* filedNumbers(search: FiledSearch): AsyncGenerator<FiledNumbers, void> {
  const found: SoughtBlocks[] = [];
  // The longest is likely to be the rarest, and where one is not there the others need no look.
  for (const one of search.sought.toSorted((a, b) => b.word.length - a.word.length)) {
    const blocks = await findWords(search, one);
    const isRareKnown = found.some(({ isRead, blocks: { length } }) => isRead && length <= RARE);
    if (!isRareKnown) for (const each of blocks) if (!each.isRead) await each.readOn();
    if (blocks.every(({ isRead, texts }) => isRead && texts.size === 0)) return;
    found.push(new SoughtBlocks(blocks));
  }
  yield* meet(found, search);
}

async function* meet(
  found: readonly SoughtBlocks[],
  { reverse, effort }: FiledSearch,
): AsyncGenerator<FiledNumbers, void> {
  const isBefore = (a: number, b: number): boolean => (reverse ? a > b : a < b);
  const inOrder = (blocks: readonly number[]): number[] => blocks.toSorted((a, b) => (reverse ? b - a : a - b));
  let edge: number | undefined;
  const isNext = (block: number): boolean => edge === undefined || isBefore(edge, block);
  for (;;) {
    const read = found.filter(({ isRead }) => isRead).map(({ blocks }) => blocks);
    const [rarest] = read.toSorted((a, b) => a.length - b.length);
    if (rarest !== undefined) {
      const blocks = inOrder(rarest.filter(isNext));
      for (let i = 0, window = FIRST_WINDOW; i < blocks.length; i += window, window = Math.min(WINDOW, window * 2)) {
        const some = blocks.slice(i, i + window);
        for (const one of found) await one.readAt(some);
        for (const block of some) yield { block, numbers: numbersOfAll(found, block, reverse) };
      }
      return;
    }
    const reading = found.flatMap(({ words }) => words).filter(({ isRead }) => !isRead);
    const known = reading.map(({ reached }) => reached!).reduce((a, b) => (isBefore(a, b) ? a : b));
    for (const block of inOrder(found[0]!.lookUpTo(known))) {
      yield { block, numbers: numbersOfAll(found, block, reverse) };
      await effort.spend(found.length);
    }
    yield { block: known, numbers: [] };
    edge = known;
    for (const word of reading) if (word.reached === known) await word.readOn();
  }
}

/** PERF: of what is looked for the rarest in the block is gone through; signs are short texts, in which to look takes less than to take them apart. */
function numbersOfAll(found: readonly SoughtBlocks[], block: number, reverse: boolean): number[] {
  const texts: (readonly string[])[] = [];
  for (const one of found) {
    const signs = one.textsOf(block);
    if (signs.length === 0) return [];
    texts.push(signs);
  }
  const lengthOf = (signs: readonly string[]): number => signs.reduce((sum, each) => sum + each.length, 0);
  const [rarest = [], ...others] = texts.toSorted((a, b) => lengthOf(a) - lengthOf(b));
  const isInAll = (sign: string): boolean => others.every((signs) => signs.some((each) => each.includes(sign)));
  const signs = new Set(rarest.flatMap((each) => [...each].filter(isInAll)));
  return [...signs].flatMap((sign) => numbersOf(sign, block)).toSorted((a, b) => (reverse ? b - a : a - b));
}

/** The words of a shelf that are meant; none where none is there. */
async function findWords(search: FiledSearch, { word, isBeginning }: SoughtWord): Promise<readonly WordBlocks[]> {
  if (!isBeginning) return [new WordBlocks(search, word)];
  return (await readEndings(search, word)) ?? (await findEndings(search, word));
}

/** All words that begin with one, with all of their blocks. PERF: of a small shelf one read; undefined of others. */
async function readEndings(search: FiledSearch, word: string): Promise<readonly WordBlocks[] | undefined> {
  const { views, shelf, filed, effort } = search;
  if (filed > FEW_BLOCKS * BLOCK_TEXTS) return undefined;
  const limit = FEW_BLOCKS * MOST_ENDINGS;
  const rows = await WORDS.scan(views, { prefix: [shelf], from: [shelf, word, numberKey(0)], limit });
  await effort.spend(rows.length);
  const words = new Map<string, Map<number, string>>();
  for (const { key, value } of rows) {
    const [, found, block] = key;
    if (!found.startsWith(word)) break;
    const blocks = words.get(found) ?? new Map<number, string>();
    if (!words.has(found) && words.size === MOST_ENDINGS) break;
    words.set(found, blocks.set(numberOfKey(block), value));
  }
  return [...words].map(([found, blocks]) => WordBlocks.read(search, found, blocks));
}

/** As much, without their blocks. */
async function findEndings(search: FiledSearch, word: string): Promise<readonly WordBlocks[]> {
  const { views, shelf, effort } = search;
  const words: string[] = [];
  for (let after: string | undefined; words.length < MOST_ENDINGS;) {
    const place = after === undefined ? { from: [shelf, word, ''] } : { after: [shelf, after, LAST] };
    const [row] = await WORDS.scan(views, { prefix: [shelf], ...(place as object), limit: 1 });
    await effort.spend(1);
    after = row?.key[1];
    if (after?.startsWith(word) !== true) break;
    words.push(after);
  }
  return words.map((found) => new WordBlocks(search, found));
}
