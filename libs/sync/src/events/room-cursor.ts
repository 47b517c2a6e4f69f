import type { RoomId } from '#kernel/ids';
import { START, type Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { nextPosition } from '../parts/recent-rows.js';

/** A stretch of the log: behind `after` (exclusive) up to `upTo` (inclusive). */
export interface Stretch {
  readonly after: Position;
  readonly upTo: Position;
}

const PAGE = 20;

/** Walks through a stretch of a room's timeline, in the order of the log or against it, past what is not shown. */
export class RoomCursor {
  #rows: TimelineRow[] = [];
  #index = 0;
  #isAtEnd = false;
  #after: readonly string[];
  #before: readonly string[];

  constructor(
    private readonly views: Pick<Views, 'scan'>,
    private readonly roomId: RoomId,
    { after, upTo }: Stretch,
    private readonly reverse: boolean,
    private readonly shows: (row: TimelineRow) => boolean,
  ) {
    this.#after = [roomId, after];
    this.#before = [roomId, nextPosition(upTo)];
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
      if (this.shows(this.#rows[this.#index]!)) return true;
    }
  }

  async #read(): Promise<void> {
    const page = await this.views.scan('timeline', {
      prefix: [this.roomId],
      after: this.#after,
      before: this.#before,
      reverse: this.reverse,
      limit: PAGE,
    });
    this.#rows = page.map(({ value }) => parseRow(value));
    this.#index = 0;
    this.#isAtEnd = page.length < PAGE;
    const last = page.at(-1)?.key;
    if (last === undefined) return;
    if (this.reverse) this.#before = last;
    else this.#after = last;
  }
}

/** The whole log up to a position. */
export function stretchUpTo(upTo: Position): Stretch {
  return { after: START, upTo };
}

/** What several rooms have in a stretch, in the order of the log or against it: at most `limit` rows, and whether there are more. */
export async function mergeRooms(
  cursors: readonly RoomCursor[],
  reverse: boolean,
  limit: number,
): Promise<{ readonly rows: TimelineRow[]; readonly hasMore: boolean }> {
  // Kept in order of their rows, the next one last.
  const waiting: RoomCursor[] = [];
  for (const cursor of cursors) if (await cursor.advance()) insert(waiting, cursor, reverse);
  const rows: TimelineRow[] = [];
  while (rows.length < limit) {
    const next = waiting.pop();
    if (next?.row === undefined) return { rows, hasMore: false };
    rows.push(next.row);
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
  return row?.header.p ?? START;
}
