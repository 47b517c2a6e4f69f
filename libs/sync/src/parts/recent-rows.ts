import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { Inject, Injectable } from '@nestjs/common';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { Range } from '#projections/collection';
import { VIEWS, type Views } from '#projections/views';
import { TIMELINE, type TimelineKey } from '#rooms/projections/timeline-collections';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';

const PAGE = 50;
const SHARED = 64;
/** In characters of rows, of which each may be as long as an event: so much of what is shared is kept. */
const MOST_TEXT = { most: 32_000_000, weigh: (rows: RecentRows): number => rows.length };

/**
 * The ends of timelines that were read lately. PERF: a message in a busy room wakes many requests that read the same stretch
 * of it, up to the same position: they share one scan. The key holds how far the timelines themselves have come: what is old
 * may change too, by a redaction.
 */
@Injectable()
export class SharedRows {
  readonly #shared = new LruCache<string, RecentRows>(SHARED, MOST_TEXT);

  constructor(@Inject(VIEWS) private readonly views: Views) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#shared.numbers;
  }

  /** The timeline of a room backwards from `upTo`; see `RecentRows`. Shared only where it begins somewhere. */
  open(roomId: RoomId, upTo: Position, expected: number, after?: Position): RecentRows {
    if (after === undefined) return new RecentRows(this.views, roomId, upTo, expected);
    const key = `${roomId} ${after} ${upTo} ${expected} ${this.views.position([TIMELINE.name])}`;
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    const rows = new RecentRows(this.views, roomId, upTo, expected, after, (grown) => {
      // One that gave way meanwhile does not come back.
      if (this.#shared.peek(key) === grown) this.#shared.set(key, grown);
    });
    this.#shared.set(key, rows);
    return rows;
  }
}

/** The timeline of a room from a position backwards: read as far as somebody asks, and once for all who do. */
export class RecentRows {
  readonly #rows: TimelineRow[] = [];
  #upper: Pick<Range<TimelineKey>, 'before' | 'to'>;
  #isAtEnd = false;
  #reading: Promise<void> | undefined;
  #length = 0;

  /** PERF: `expected` rows are read at first, and only those behind `after`: mostly nobody asks for more. */
  constructor(
    private readonly views: Pick<Views, 'scan'>,
    private readonly roomId: RoomId,
    upTo: Position,
    private readonly expected: number,
    private after?: Position,
    /** Told of itself once it has read more. */
    private readonly onGrown?: (rows: RecentRows) => void,
  ) {
    this.#upper = { to: [roomId, upTo] };
  }

  /** How many characters its rows have together. */
  get length(): number {
    return this.#length;
  }

  /** The index-th row, the newest first, if it is in memory. */
  peek(index: number): TimelineRow | undefined {
    return this.#rows[index];
  }

  /** The index-th row, the newest first; undefined where the room begins. */
  async at(index: number): Promise<TimelineRow | undefined> {
    while (index >= this.#rows.length && !this.#isAtEnd) {
      // Several may ask at once: one reads, all wait.
      this.#reading ??= this.#readOn().finally(() => (this.#reading = undefined));
      await this.#reading;
    }
    return this.#rows[index];
  }

  async #readOn(): Promise<void> {
    const { roomId, after } = this;
    const limit = this.#rows.length === 0 ? this.expected : PAGE;
    const page = await TIMELINE.scan(this.views, {
      prefix: [roomId],
      ...this.#upper,
      after: after === undefined ? undefined : [roomId, after],
      reverse: true,
      limit,
    });
    for (const { value } of page) {
      this.#rows.push(parseRow(value));
      this.#length += value.length;
    }
    this.onGrown?.(this);
    const last = page.at(-1);
    if (last !== undefined) this.#upper = { before: last.key };
    if (page.length === limit) return;
    // What lies at `after` and before it comes next, should anybody ask.
    if (after === undefined) this.#isAtEnd = true;
    else {
      this.#upper = { to: [roomId, after] };
      this.after = undefined;
    }
  }
}
