import type { Position } from '#kernel/position';
import type { RoomReader } from '#rooms/reading/room-reader';
import { BLOCK_TEXTS, numberKey, PAGE_TEXTS, PAGES } from '../projections/search-collections.js';
import { linesOf, parseHead, type ShelfRow, type TextHead } from '../projections/shelf-row.js';
import { firstBlock, keyOf, type Looked, type Match, matchesIn, mayHaveAll, type ShelfSearch } from './shelf-search.js';

/** How many pages are read at once. */
const AT_ONCE = BLOCK_TEXTS / PAGE_TEXTS;
/** What a page takes, whatever stands there, and what each of its texts takes of which a look alone says what the reader is shown of it. */
const OF_PAGE = 4;
const OF_UNCERTAIN = 9;

/**
 * What matches of a shelf of which the room hides some texts from the reader, in the order of `text-order.ts`: one page after another, as if
 * nothing were filed. For what is filed, and how much of it matches, says something of hidden texts too: which words stand there, and how
 * often, by how much is left of the effort. Here a hidden text takes as much as if it said something else.
 */
export async function* lookThrough(search: ShelfSearch, room: RoomReader): AsyncGenerator<Looked, void> {
  const { views, from } = search;
  const { isHistory, row } = from;
  const { shelf, next, page: newest } = row;
  const put = next - (next % PAGE_TEXTS);
  if (!isHistory) yield await lookAt(search, room, [newest]);
  const block = await firstBlock(search, put, isHistory ? undefined : lastShown(room, row));
  for (let first = block; first !== undefined && first >= 0 && first < put;) {
    const range = { prefix: [shelf], from: [shelf, numberKey(first)], before: [shelf, numberKey(put)] } as const;
    const pages = await PAGES.scan(views, { ...range, limit: AT_ONCE });
    const texts = pages.map(({ value }) => value);
    yield await lookAt(search, room, isHistory ? texts : texts.toReversed());
    first += isHistory ? BLOCK_TEXTS : -BLOCK_TEXTS;
  }
  if (isHistory) yield await lookAt(search, room, [newest]);
}

/** Where the last text of a shelf may stand that a reader is shown who has left; undefined: anywhere. */
function lastShown(room: RoomReader, { visibilities }: ShelfRow): Position | undefined {
  return visibilities.every((each) => each === 'shared' || each === 'joined') ? room.left : undefined;
}

/** What matches of some pages and the reader may be shown. */
async function lookAt(
  { from, sought, effort }: ShelfSearch,
  room: RoomReader,
  pages: readonly string[],
): Promise<Looked> {
  const { isHistory } = from;
  const matches: Match[] = [];
  let last: string | undefined;
  for (const page of pages) {
    const lines = isHistory ? linesOf(page) : linesOf(page).toReversed();
    const texts = lines.map((line) => ({ line, head: parseHead(line) }));
    last = lines.at(-1) ?? last;
    const uncertain = texts.filter(({ head }) => isHistory || head.isEdited || head.isAside).length;
    await effort.spend(OF_PAGE + uncertain * OF_UNCERTAIN);
    if (!mayHaveAll(page, sought)) continue;
    const [end, start] = [texts[0]!.head.position, texts.at(-1)!.head.position];
    const there = isHistory ? room : await room.overStretch(start, end);
    for (const { line, head } of texts) {
      if (!mayHaveAll(line, sought)) continue;
      if (!isHistory && !isShownByPlace(there, head)) continue;
      matches.push(...matchesIn(line, from, sought, isHistory || head.isEdited || head.isAside));
    }
  }
  return { matches, reached: last === undefined ? undefined : keyOf(last, isHistory) };
}

/** Whether the reader may be shown a text that was news, as far as its place says it. */
function isShownByPlace(room: RoomReader, { position, visibility, isAside }: TextHead): boolean {
  return isAside || room.maySee({ position, visibility, type: '' });
}
