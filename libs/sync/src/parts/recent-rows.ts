import type { RoomId } from '#kernel/ids';
import { positionNumber, positionOf, type Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';

/** The position just behind another. */
export function nextPosition(position: Position): Position {
  return positionOf(positionNumber(position) + 1);
}

/** The position just before another. */
export function previousPosition(position: Position): Position {
  return positionOf(Math.max(0, positionNumber(position) - 1));
}

const PAGE = 50;

/** The timeline of a room from a position backwards: read as far as somebody asks, and once for all who do. */
export class RecentRows {
  readonly #rows: TimelineRow[] = [];
  #before: readonly string[];
  #isAtEnd = false;

  /** PERF: `expected` rows are read at first, and only those behind `after`: mostly nobody asks for more. */
  constructor(
    private readonly views: Pick<Views, 'scan'>,
    private readonly roomId: RoomId,
    upTo: Position,
    private readonly expected: number,
    private after?: Position,
  ) {
    this.#before = [roomId, nextPosition(upTo)];
  }

  /** The index-th row, the newest first, if it is in memory. */
  peek(index: number): TimelineRow | undefined {
    return this.#rows[index];
  }

  /** The index-th row, the newest first; undefined where the room begins. */
  async at(index: number): Promise<TimelineRow | undefined> {
    while (index >= this.#rows.length && !this.#isAtEnd) await this.#readOn();
    return this.#rows[index];
  }

  async #readOn(): Promise<void> {
    const { roomId, after } = this;
    const limit = this.#rows.length === 0 ? this.expected : PAGE;
    const page = await this.views.scan('timeline', {
      prefix: [roomId],
      before: this.#before,
      after: after === undefined ? undefined : [roomId, after],
      reverse: true,
      limit,
    });
    for (const { value } of page) this.#rows.push(parseRow(value));
    this.#before = page.at(-1)?.key ?? this.#before;
    if (page.length === limit) return;
    // What lies at `after` and before it comes next, should anybody ask.
    if (after === undefined) this.#isAtEnd = true;
    else {
      this.#before = [roomId, nextPosition(after)];
      this.after = undefined;
    }
  }
}
