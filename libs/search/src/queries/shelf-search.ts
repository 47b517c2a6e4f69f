import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import type { Reader } from '#rooms/reading/reader';
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
  /** Whether the reader is in the room, as far as that is known without a look. */
  readonly isIn: boolean;
}

/** A text with all that is looked for. */
export interface Match extends ShelvedText, Pick<RoomShelf, 'roomId' | 'isHistory'> {
  /** What it takes to find out whether the reader is shown it is counted already, as of all texts beside it. */
  readonly isPaid: boolean;
}

/** A part of a shelf that was looked at. */
export interface Looked {
  /** In their order. */
  readonly matches: Match[];
  /** All of the shelf up to this place was looked at; undefined: as far as before. */
  readonly reached: TextKey | undefined;
}

/** One shelf as it is searched. */
export interface ShelfSearch {
  readonly views: Views;
  readonly reader: Reader;
  readonly from: RoomShelf;
  readonly sought: Sought;
  readonly effort: SearchEffort;
}

/** Whether a page or a line may match. PERF: most have none of the words, and need not be taken apart. */
export function mayHaveAll(text: string, { words }: Sought): boolean {
  return words.every(({ word }) => text.includes(` ${word}`));
}

/** A line as a match, where it is one. PERF: its words are not taken apart before all else is known. */
export function matchesIn(line: string, { roomId, isHistory }: RoomShelf, sought: Sought, isPaid = false): Match[] {
  const head = parseHead(line);
  const { position, carriedAs, time, kind, sender } = head;
  const { upTo, kinds, senders, behind } = sought;
  if (position > upTo || !kinds.has(kind) || senders?.has(sender) === false) return [];
  if (behind !== undefined && !isBehind({ time, isHistory, position, carriedAs }, behind)) return [];
  const words = wordsOfLine(line);
  return hasAll(words, sought.words) ? [{ ...head, words, roomId, isHistory, isPaid }] : [];
}

/**
 * The block in which those texts begin that are behind the place from which on is searched; undefined where all of so many
 * texts are before it, or came after `upTo`.
 * PERF: texts of a shelf are in the order of their numbers, so whoever asks for the hundredth page reads no more than for the first.
 */
export async function firstBlock(
  { views, from, sought }: ShelfSearch,
  count: number,
  upTo?: Position,
): Promise<number | undefined> {
  if (count === 0) return undefined;
  const { isHistory, row } = from;
  const { shelf } = row;
  const { behind } = sought;
  const last = Math.floor((count - 1) / BLOCK_TEXTS);
  if (behind === undefined && upTo === undefined) return (isHistory ? 0 : last) * BLOCK_TEXTS;
  const startsBehind = async (block: number): Promise<boolean> => {
    const [line] = await readLines(views, shelf, [block * BLOCK_TEXTS]);
    if (line === undefined || (upTo !== undefined && parseHead(line).position > upTo)) return false;
    return behind === undefined || isBehind(keyOf(line, isHistory), behind);
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

export function keyOf(line: string, isHistory: boolean): TextKey {
  const { time, position, carriedAs } = parseHead(line);
  return { time, isHistory, position, ...(carriedAs === undefined ? {} : { carriedAs }) };
}

export async function readLines(views: Views, shelf: Shelf, numbers: readonly number[]): Promise<string[]> {
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
