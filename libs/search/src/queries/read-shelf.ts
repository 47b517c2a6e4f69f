import { findRoomReader, type RoomReader } from '#rooms/reading/room-reader';
import { BLOCK_TEXTS, numberKey, PAGE_TEXTS, PAGES } from '../projections/search-collections.js';
import { linesOf } from '../projections/shelf-row.js';
import type { TextKey } from '../projections/text-order.js';
import { filedNumbers } from './filed-words.js';
import { lookThrough } from './look-through-shelf.js';
import {
  firstBlock,
  keyOf,
  type Looked,
  type Match,
  matchesIn,
  mayHaveAll,
  readLines,
  type ShelfSearch,
} from './shelf-search.js';

/** How many texts are read at once: few at first, for mostly no more are asked for. */
const FIRST_BATCH = 4;
const LARGEST_BATCH = 32;
/** After so many blocks without a text it is told how far one has come. */
const BLOCKS_PER_LOOK = 64;

/** The texts of a shelf that match, a few after another, in the order of `text-order.ts`, until there are none. */
export async function* readShelf(search: ShelfSearch): AsyncGenerator<Looked, void> {
  const { isHistory } = search.from;
  const hiding = await findHiding(search);
  if (hiding !== undefined) return yield* lookThrough(search, hiding);
  if (!isHistory) yield await readUnfiled(search);
  yield* readFiled(search);
  if (isHistory) yield await readUnfiled(search);
}

/** The reader before the room, where it may hide some texts of the shelf from them. */
async function findHiding({ views, reader, from }: ShelfSearch): Promise<RoomReader | undefined> {
  const { roomId, isHistory, isIn, row } = from;
  if (isIn && row.firstClosed === undefined) return undefined;
  const room = await findRoomReader(views, roomId, reader);
  const isOpen = row.firstClosed === undefined ? room.isIn : !isHistory && room.isInSince(row.firstClosed);
  return isOpen ? undefined : room;
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
  for (const lines of texts) {
    if (!mayHaveAll(lines, sought)) continue;
    for (const line of linesOf(lines)) if (mayHaveAll(line, sought)) matches.push(...matchesIn(line, from, sought));
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
  const block = row.filed === 0 ? undefined : await firstBlock(search, row.filed);
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

/** The last place of a block in the order of its shelf. */
async function endOfBlock({ views, from }: ShelfSearch, block: number): Promise<TextKey | undefined> {
  const { isHistory, row } = from;
  const { shelf } = row;
  const number = isHistory ? Math.min(block + BLOCK_TEXTS, row.filed) - 1 : block;
  const [line] = await readLines(views, shelf, [number]);
  return line === undefined ? undefined : keyOf(line, isHistory);
}
