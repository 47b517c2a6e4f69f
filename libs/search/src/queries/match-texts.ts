import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { Turn } from '#projections/turn';
import type { Views } from '#projections/views';
import { numberKey, PAGE_TEXTS, PAGES, type Shelf } from '../projections/search-collections.js';
import { linesOf, parseText, type ShelfRow, type ShelvedText, type TextKind } from '../projections/shelf-row.js';
import { hasAll, type SoughtWord } from '../words/words-of.js';
import { filedTexts } from './filed-words.js';

/** What is looked for. */
export interface Sought {
  readonly words: readonly SoughtWord[];
  readonly kinds: ReadonlySet<TextKind>;
  /** Stand for who may have sent it (`senderMark`); undefined: anybody. */
  readonly senders: ReadonlySet<string> | undefined;
  /** Nothing that came later. */
  readonly upTo: Position;
}

/** The texts of a room that were news, or those of its past. */
export interface RoomShelf {
  readonly roomId: RoomId;
  readonly isHistory: boolean;
  readonly shelf: Shelf;
  readonly row: ShelfRow;
}

/** A text with all that is looked for. */
export type Match = ShelvedText & Pick<RoomShelf, 'roomId' | 'isHistory'>;

/** How many pages are read at once: few at first, for mostly no more are asked for. */
const FIRST_BATCH = 2;
const LARGEST_BATCH = 32;
/** How many shelves are looked at side by side. */
const AT_ONCE = 16;

/**
 * The texts of a shelf that match, a batch after another, the newest first: of the past those that were fetched first, for it is fetched
 * backwards.
 */
export async function* matchesOn(views: Views, from: RoomShelf, sought: Sought): AsyncGenerator<Match[], void> {
  const { roomId, isHistory } = from;
  const asMatches = (texts: readonly ShelvedText[]): Match[] =>
    texts.filter((text) => isSought(text, sought)).map((text) => ({ ...text, roomId, isHistory }));
  if (!isHistory) yield asMatches((await unfiledTexts(views, from, sought.words)).toReversed());
  let batch = FIRST_BATCH;
  const numbers: number[] = [];
  for await (const some of filedTexts(views, from.shelf, sought.words, !isHistory)) {
    // Those that were filed since the shelf was looked at are among the others.
    numbers.push(...some.filter((number) => number < from.row.filed));
    while (numbers.length >= batch) {
      yield asMatches(await readTexts(views, from.shelf, numbers.splice(0, batch)));
      batch = Math.min(batch * 2, LARGEST_BATCH);
    }
  }
  if (numbers.length > 0) yield asMatches(await readTexts(views, from.shelf, numbers));
  if (isHistory) yield asMatches(await unfiledTexts(views, from, sought.words));
}

function isSought({ position, kind, sender }: ShelvedText, { upTo, kinds, senders }: Sought): boolean {
  return position <= upTo && kinds.has(kind) && senders?.has(sender) !== false;
}

/** Those texts that match which are filed under no words yet, in their order. */
async function unfiledTexts(
  views: Views,
  { shelf, row: { next, filed, page } }: RoomShelf,
  words: readonly SoughtWord[],
): Promise<ShelvedText[]> {
  const limit = Math.floor((next - filed) / PAGE_TEXTS);
  const from = [shelf, numberKey(filed)] as const;
  const pages = limit === 0 ? [] : await PAGES.scan(views, { prefix: [shelf], from, limit });
  const texts: ShelvedText[] = [];
  for (const lines of [...pages.map(({ value }) => value), page]) {
    // PERF: most pages have none of the words, and need not be taken apart.
    if (!words.every(({ word }) => lines.includes(` ${word}`))) continue;
    for (const line of linesOf(lines)) {
      if (!words.every(({ word }) => line.includes(` ${word}`))) continue;
      const text = parseText(line);
      if (hasAll(text.words, words)) texts.push(text);
    }
  }
  return texts;
}

async function readTexts(views: Views, shelf: Shelf, numbers: readonly number[]): Promise<ShelvedText[]> {
  const firsts = [...new Set(numbers.map(firstOfPage))];
  const pages = await PAGES.getMany(
    views,
    firsts.map((first) => [shelf, numberKey(first)] as const),
  );
  const lines = new Map(firsts.map((first, i) => [first, pages[i] === undefined ? [] : linesOf(pages[i])]));
  return numbers.flatMap((number) => {
    const line = lines.get(firstOfPage(number))?.[number % PAGE_TEXTS];
    return line === undefined ? [] : [parseText(line)];
  });
}

function firstOfPage(number: number): number {
  return number - (number % PAGE_TEXTS);
}

/** Where one shelf is. */
interface Reading {
  readonly batches: AsyncGenerator<Match[], void>;
  rest: Match[];
}

/**
 * The texts of many shelves that match, those sent last first, as far as each shelf is in that order. The same ones in the same order
 * whenever it is asked up to the same place.
 */
export async function* matchesIn(
  views: Views,
  shelves: readonly RoomShelf[],
  sought: Sought,
): AsyncGenerator<Match, void> {
  const all = shelves.map((shelf): Reading => ({ batches: matchesOn(views, shelf, sought), rest: [] }));
  let open: Reading[] = [];
  const turn = new Turn(1);
  for (let i = 0; i < all.length; i += AT_ONCE) {
    if (turn.isOver()) await turn.pass();
    const some = all.slice(i, i + AT_ONCE);
    const have = await Promise.all(some.map(hasMore));
    open.push(...some.filter((_, n) => have[n]));
  }
  while (open.length > 0) {
    const newest = open.reduce((a, b) => (b.rest[0]!.sentAt > a.rest[0]!.sentAt ? b : a));
    yield newest.rest.shift()!;
    if (!(await hasMore(newest))) open = open.filter((one) => one !== newest);
  }
}

async function hasMore(reading: Reading): Promise<boolean> {
  while (reading.rest.length === 0) {
    const { value, done } = await reading.batches.next();
    if (done === true) return false;
    reading.rest = value as Match[];
  }
  return true;
}
