import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { BLOCK_TEXTS, numberKey, PAGE_TEXTS, PAGES } from '../projections/search-collections.js';
import {
  linesOf,
  parseHead,
  type Shelf,
  type ShelfRow,
  type ShelvedText,
  type TextKind,
  wordsOfLine,
} from '../projections/shelf-row.js';
import { isBehind, type TextKey } from '../projections/text-order.js';
import { hasAll, type SoughtWord } from '../words/words-of.js';
import { filedNumbers } from './filed-words.js';
import type { SearchEffort } from './search-effort.js';

/** What is looked for. */
export interface Sought {
  readonly words: readonly SoughtWord[];
  readonly kinds: ReadonlySet<TextKind>;
  /** Stand for who may have sent it (`senderMark`); undefined: anybody. */
  readonly senders: ReadonlySet<string> | undefined;
  /** Nothing that came later. */
  readonly upTo: Position;
  /** Only what is behind it; undefined: from the newest text on. */
  readonly behind: TextKey | undefined;
}

/** The texts of a room that were news, or those of its past. */
export interface RoomShelf {
  readonly roomId: RoomId;
  readonly isHistory: boolean;
  readonly row: ShelfRow;
}

/** A text with all that is looked for. */
export type Match = ShelvedText & Pick<RoomShelf, 'roomId' | 'isHistory'>;

/** A part of a shelf that was looked at. */
export interface Looked {
  /** In their order. */
  readonly matches: Match[];
  /** All of the shelf up to this place was looked at; undefined: as far as before. */
  readonly reached: TextKey | undefined;
}

/** How many texts are read at once: few at first, for mostly no more are asked for. */
const FIRST_BATCH = 4;
const LARGEST_BATCH = 32;
/** After so many blocks without a text it is told how far one has come. */
const BLOCKS_PER_LOOK = 64;

/** One shelf as it is searched. */
export interface ShelfSearch {
  readonly views: Views;
  readonly from: RoomShelf;
  readonly sought: Sought;
  readonly effort: SearchEffort;
}

/** The texts of a shelf that match, a few after another, in the order of `text-order.ts`, until there are none. */
export async function* readShelf(search: ShelfSearch): AsyncGenerator<Looked, void> {
  const { isHistory } = search.from;
  if (!isHistory) yield await readUnfiled(search);
  yield* readFiled(search);
  if (isHistory) yield await readUnfiled(search);
}

/** What matches of the texts that are filed under no words yet. */
async function readUnfiled({ views, from, sought, effort }: ShelfSearch): Promise<Looked> {
  const { isHistory, row } = from;
  const { shelf, next, filed, page } = row;
  const limit = Math.floor((next - filed) / PAGE_TEXTS);
  const range = { prefix: [shelf], from: [shelf, numberKey(filed)], limit } as const;
  const pages = limit === 0 ? [] : await PAGES.scan(views, range);
  const texts = [...pages.map(({ value }) => value), page];
  const matches: Match[] = [];
  // PERF: most pages have none of the words, nor have most lines, and these need not be taken apart.
  const mayHaveAll = (text: string): boolean => sought.words.every(({ word }) => text.includes(` ${word}`));
  for (const lines of texts) {
    if (!mayHaveAll(lines)) continue;
    for (const line of linesOf(lines)) if (mayHaveAll(line)) matches.push(...matchesIn(line, from, sought));
  }
  await effort.spend(texts.length);
  const [first] = linesOf(texts[0] ?? '');
  const reached = first === undefined ? undefined : keyOf(first, isHistory);
  return isHistory ? { matches, reached: undefined } : { matches: matches.toReversed(), reached };
}

async function* readFiled(search: ShelfSearch): AsyncGenerator<Looked, void> {
  const { views, from, sought, effort } = search;
  const { isHistory, row } = from;
  const { shelf } = row;
  const block = row.filed === 0 ? undefined : await firstBlock(search);
  if (block === undefined) return;
  const filed = { views, shelf, filed: row.filed, sought: sought.words, reverse: !isHistory, from: block, effort };
  const waiting: number[] = [];
  let batch = FIRST_BATCH;
  let blocks = 0;
  for await (const found of filedNumbers(filed)) {
    // Those that were filed since the shelf was looked at are among the others.
    waiting.push(...found.numbers.filter((number) => number < row.filed));
    while (waiting.length >= batch) {
      yield await readNumbers(search, waiting.splice(0, batch));
      batch = Math.min(batch * 2, LARGEST_BATCH);
      blocks = 0;
    }
    if (++blocks < BLOCKS_PER_LOOK) continue;
    blocks = 0;
    if (waiting.length > 0) yield await readNumbers(search, waiting.splice(0));
    yield { matches: [], reached: await endOfBlock(search, found.block) };
  }
  if (waiting.length > 0) yield await readNumbers(search, waiting);
}

/** What matches of some texts that have the words. */
async function readNumbers({ views, from, sought, effort }: ShelfSearch, numbers: readonly number[]): Promise<Looked> {
  const lines = await readLines(views, from.row.shelf, numbers);
  await effort.spend(numbers.length);
  const last = lines.at(-1);
  return {
    matches: lines.flatMap((line) => matchesIn(line, from, sought)),
    reached: last === undefined ? undefined : keyOf(last, from.isHistory),
  };
}

/** A line as a match, where it is one. PERF: its words are not taken apart before all else is known. */
function matchesIn(line: string, { roomId, isHistory }: RoomShelf, sought: Sought): Match[] {
  const head = parseHead(line);
  const { position, time, kind, sender } = head;
  const { upTo, kinds, senders, behind } = sought;
  if (position > upTo || !kinds.has(kind) || senders?.has(sender) === false) return [];
  if (behind !== undefined && !isBehind({ time, isHistory, position }, behind)) return [];
  const words = wordsOfLine(line);
  return hasAll(words, sought.words) ? [{ ...head, words, roomId, isHistory }] : [];
}

/**
 * The block in which those texts begin that are behind the place from which on is searched; undefined where all that is filed is before it.
 * PERF: texts of a shelf are in the order of their numbers, so whoever asks for the hundredth page reads no more than for the first.
 */
async function firstBlock({ views, from, sought }: ShelfSearch): Promise<number | undefined> {
  const { isHistory, row } = from;
  const { shelf } = row;
  const { behind } = sought;
  const last = Math.floor((row.filed - 1) / BLOCK_TEXTS);
  if (behind === undefined) return (isHistory ? 0 : last) * BLOCK_TEXTS;
  const startsBehind = async (block: number): Promise<boolean> => {
    const [line] = await readLines(views, shelf, [block * BLOCK_TEXTS]);
    return line !== undefined && isBehind(keyOf(line, isHistory), behind);
  };
  // Of the past the first text that is behind the place may stand in the block before the first that begins behind it.
  let [low, high] = [0, last + 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((await startsBehind(middle)) === isHistory) high = middle;
    else low = middle + 1;
  }
  if (isHistory) return Math.max(0, low - 1) * BLOCK_TEXTS;
  return low === 0 ? undefined : (low - 1) * BLOCK_TEXTS;
}

/** The last place of a block in the order of its shelf. */
async function endOfBlock({ views, from }: ShelfSearch, block: number): Promise<TextKey | undefined> {
  const { isHistory, row } = from;
  const { shelf } = row;
  const number = isHistory ? Math.min(block + BLOCK_TEXTS, row.filed) - 1 : block;
  const [line] = await readLines(views, shelf, [number]);
  return line === undefined ? undefined : keyOf(line, isHistory);
}

function keyOf(line: string, isHistory: boolean): TextKey {
  const { time, position } = parseHead(line);
  return { time, isHistory, position };
}

async function readLines(views: Views, shelf: Shelf, numbers: readonly number[]): Promise<string[]> {
  const firsts = [...new Set(numbers.map(firstOfPage))];
  const pages = await PAGES.getMany(
    views,
    firsts.map((first) => [shelf, numberKey(first)] as const),
  );
  const lines = new Map(firsts.map((first, i) => [first, pages[i] === undefined ? [] : linesOf(pages[i])]));
  return numbers.flatMap((number) => lines.get(firstOfPage(number))?.[number % PAGE_TEXTS] ?? []);
}

function firstOfPage(number: number): number {
  return number - (number % PAGE_TEXTS);
}
