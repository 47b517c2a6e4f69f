import { beforeTime, isBehind, type TextKey } from '../projections/text-order.js';
import { readShelf } from './read-shelf.js';
import type { Looked, Match, RoomShelf, ShelfSearch, Sought } from './shelf-search.js';
import type { SearchEffort } from './search-effort.js';

/** How many shelves are looked at side by side. PERF: what of each holds up others adds up where the store answers at once. */
const AT_ONCE = 4;

/** One shelf, and how far it was looked at. */
interface Reading {
  readonly parts: AsyncGenerator<Looked, void>;
  matches: Match[];
  /** What is left of the shelf is behind this place. */
  place: TextKey;
  isDone: boolean;
}

/**
 * The texts of many shelves that match, in the order of `text-order.ts`: the same ones in the same order whenever it is asked behind the same
 * place. PERF: a shelf is looked at once nothing else can be newer, so that of rooms that were silent for long mostly nothing is read.
 */
export class Matches {
  /** In their order, the last one first. */
  #open: Reading[];
  /** Of the last match that was told. */
  #told: TextKey | undefined;
  readonly #begin: TextKey | undefined;

  constructor(
    { views, reader }: Pick<ShelfSearch, 'views' | 'reader'>,
    shelves: readonly RoomShelf[],
    sought: Sought,
    private readonly effort: SearchEffort,
  ) {
    this.#told = sought.behind;
    this.#open = shelves.map((from) => begin({ views, reader, from, sought, effort })).toSorted(compareReadings);
    this.#begin = this.place;
  }

  /** All matches up to it were told; undefined: all there are. */
  get place(): TextKey | undefined {
    const next = this.#open.at(-1);
    const told = this.#told;
    if (next === undefined) return undefined;
    if (next.matches.length > 0) return told ?? beforeTime(headOf(next).time);
    return told !== undefined && isBehind(told, next.place) ? told : next.place;
  }

  /** The next match; undefined where there is none, or where the effort is spent. */
  async next(): Promise<Match | undefined> {
    for (;;) {
      const reading = this.#open.pop();
      if (reading === undefined) return undefined;
      const match = reading.matches.shift();
      if (match !== undefined) {
        this.#put(reading);
        this.#told = match;
        return match;
      }
      this.#open.push(reading);
      if (this.effort.isSpent && this.#hasMoved()) return undefined;
      await this.#lookOn();
    }
  }

  /** Whoever goes on from there does not come here again: so whatever little effort is left, an end is reached. */
  #hasMoved(): boolean {
    const { place } = this;
    return place === undefined || this.#begin === undefined || isBehind(place, this.#begin);
  }

  /** Looks at a part of those shelves that come next and of which nothing is found yet. */
  async #lookOn(): Promise<void> {
    const some: Reading[] = [];
    while (some.length < AT_ONCE && this.#open.at(-1)?.matches.length === 0) some.push(this.#open.pop()!);
    await Promise.all(some.map(lookOn));
    for (const reading of some) this.#put(reading);
  }

  #put(reading: Reading): void {
    if (reading.isDone && reading.matches.length === 0) return;
    const head = headOf(reading);
    let [low, high] = [0, this.#open.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBehind(head, headOf(this.#open[middle]!))) high = middle;
      else low = middle + 1;
    }
    this.#open.splice(low, 0, reading);
  }
}

function begin(search: ShelfSearch): Reading {
  const { from, sought } = search;
  const { isHistory, row } = from;
  const newest = beforeTime(isHistory ? row.firstTime : row.lastTime);
  const { behind = newest } = sought;
  return { parts: readShelf(search), matches: [], place: isBehind(behind, newest) ? behind : newest, isDone: false };
}

/** Where a shelf stands in the order: at its next match, or where it may have one. */
function headOf({ matches, place }: Reading): TextKey {
  return matches[0] ?? place;
}

function compareReadings(a: Reading, b: Reading): number {
  return isBehind(headOf(a), headOf(b)) ? -1 : Number(isBehind(headOf(b), headOf(a)));
}

async function lookOn(reading: Reading): Promise<void> {
  const { value, done } = await reading.parts.next();
  if (done === true) reading.isDone = true;
  else {
    reading.matches = value.matches;
    if (value.reached !== undefined && isBehind(value.reached, reading.place)) reading.place = value.reached;
  }
}
