import type { EventMatcher } from '#accounts/filters/event-matcher';
import { type Place, type Position, START } from '#kernel/position';
import { boundAfter, boundUpTo } from '#read-models/place-bounds';
import type { Range } from '#projections/collection';
import { ELSEWHERE } from '#rooms/projections/elsewhere-rows';
import { TIMELINE, type TimelineKey } from '#rooms/projections/timeline-collections';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { passesFilter } from '#rooms/queries/event-filter';
import type { RoomReader } from '#rooms/reading/room-reader';

/** A stretch of the log between two places. */
export interface Stretch {
  readonly after: Place;
  readonly upTo: Place;
}

const PAGE = 20;

/** Walks through a stretch of a room's timeline, in the order of the log or against it, past what is not shown. */
export class RoomCursor {
  #rows: TimelineRow[] = [];
  #index = 0;
  #isAtEnd = false;
  /** What is not told yet of what the reader became while the room was not here; undefined: not read. */
  #elsewhere: readonly TimelineRow[] | undefined;
  #lower: Pick<Range<TimelineKey>, 'after' | 'from'>;
  #upper: Pick<Range<TimelineKey>, 'before' | 'to'>;

  constructor(
    /** Who reads, over this stretch. */
    readonly room: RoomReader,
    private readonly stretch: Stretch,
    private readonly reverse: boolean,
    /** Which of the events are wanted; all unless told. */
    private readonly wanted?: EventMatcher,
  ) {
    const { after, upTo } = stretch;
    this.#lower = boundAfter([room.roomId], after);
    this.#upper = boundUpTo([room.roomId], upTo);
  }

  /** The row it stands at; undefined behind the last. Only after `advance`. */
  get row(): TimelineRow | undefined {
    return this.#rows[this.#index];
  }

  /** Goes to the next row that is shown. Answers whether there is one. */
  async advance(): Promise<boolean> {
    for (;;) {
      this.#index++;
      while (this.#index >= this.#rows.length) {
        if (this.#isAtEnd) return false;
        await this.#read();
      }
      const row = this.#rows[this.#index]!;
      const room = row.header.isAside === true ? await this.room.over([row]) : this.room;
      if (shows(room, row) && (await this.#isWanted(row))) return true;
    }
  }

  #isWanted(row: TimelineRow): boolean | Promise<boolean> {
    return this.wanted === undefined || passesFilter(this.wanted, this.room, row);
  }

  async #read(): Promise<void> {
    const page = await TIMELINE.scan(this.room.views, {
      prefix: [this.room.roomId],
      ...this.#lower,
      ...this.#upper,
      reverse: this.reverse,
      limit: PAGE,
    });
    this.#isAtEnd = page.length < PAGE;
    this.#rows = await this.#withElsewhere(page.map(({ value }) => parseRow(value)));
    this.#index = 0;
    const last: TimelineKey | undefined = page.at(-1)?.key;
    if (last === undefined) return;
    if (this.reverse) this.#upper = { before: last };
    else this.#lower = { after: last };
  }

  /** A page of the timeline with what stands among it, or behind the last one, of what the reader became while the room was not here. */
  async #withElsewhere(page: readonly TimelineRow[]): Promise<TimelineRow[]> {
    this.#elsewhere ??= this.room.isIn ? [] : await this.#readElsewhere();
    if (this.#elsewhere.length === 0) return [...page];
    const isBefore = (a: TimelineRow, b: TimelineRow): boolean =>
      this.reverse ? a.header.position > b.header.position : a.header.position < b.header.position;
    const last = page.at(-1);
    const isDue = (row: TimelineRow): boolean => this.#isAtEnd || (last !== undefined && isBefore(row, last));
    const due = this.#elsewhere.filter(isDue);
    this.#elsewhere = this.#elsewhere.filter((row) => !isDue(row));
    return [...page, ...due].sort((a, b) => (isBefore(a, b) ? -1 : 1));
  }

  /** What the reader became in a room that is not here: a few events at most. */
  async #readElsewhere(): Promise<TimelineRow[]> {
    const { views, roomId, reader } = this.room;
    const { after, upTo } = this.stretch;
    const prefix = [reader.userId, roomId] as const;
    const bounds = { ...boundAfter(prefix, after), ...boundUpTo(prefix, upTo) };
    const found = await ELSEWHERE.scan(views, { prefix, ...bounds, reverse: this.reverse, limit: PAGE });
    return found.map(({ value }) => parseRow(value.member));
  }
}

/** The events that readers are shown, and what becomes of themselves in the room. */
function shows(room: RoomReader, { header }: TimelineRow): boolean {
  return room.isShown(header) || (room.isOwnMembership(header) && !room.ignores(header));
}

/** An event of a room, and who reads it there. */
export interface ReadRow {
  readonly room: RoomReader;
  readonly row: TimelineRow;
}

/** What several rooms have in a stretch, in the order of the log or against it: at most `limit` rows, and whether there are more. */
export async function mergeRooms(
  cursors: readonly RoomCursor[],
  reverse: boolean,
  limit: number,
): Promise<{ readonly rows: ReadRow[]; readonly hasMore: boolean }> {
  // Kept in order of their rows, the next one last.
  const waiting: RoomCursor[] = [];
  for (const cursor of cursors) if (await cursor.advance()) insert(waiting, cursor, reverse);
  const rows: ReadRow[] = [];
  while (rows.length < limit) {
    const next = waiting.pop();
    if (next?.row === undefined) return { rows, hasMore: false };
    rows.push({ room: next.room, row: next.row });
    if (await next.advance()) insert(waiting, next, reverse);
  }
  return { rows, hasMore: waiting.length > 0 };
}

function insert(waiting: RoomCursor[], cursor: RoomCursor, reverse: boolean): void {
  const at = positionOf(cursor);
  let low = 0;
  let high = waiting.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const isBehind = reverse ? positionOf(waiting[middle]!) < at : positionOf(waiting[middle]!) > at;
    if (isBehind) low = middle + 1;
    else high = middle;
  }
  waiting.splice(low, 0, cursor);
}

function positionOf({ row }: RoomCursor): Position {
  return row?.header.position ?? START;
}
