import type { RoomId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';

const PAGE = 100;
const PAGES = 40;
/** In characters of rows, of which each may be as long as an event. */
const MOST_TEXT = 32_000_000;

interface Page {
  readonly rows: Promise<readonly TimelineRow[]>;
  /** Of its rows together, once they are there. */
  readonly length: number;
}

/**
 * Timelines further back than their ends. PERF: where many members of a room have much unread they are all looked at at once, as with the
 * first message after a start, and each would read and parse the same thousand events. The key holds how far the timelines have come: what
 * is old may change too, by a redaction.
 */
export class OlderRows {
  readonly #pages = new LruCache<string, Page>(PAGES, { most: MOST_TEXT, weigh: ({ length }) => length });

  constructor(private readonly views: Views) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#pages.numbers;
  }

  /** What is in a room before a place, the newest first. */
  async *backwards(roomId: RoomId, from: Position): AsyncGenerator<TimelineRow, void> {
    for (let before: Position | undefined = from; before !== undefined;) {
      const rows: readonly TimelineRow[] = await this.#page(roomId, before);
      yield* rows;
      before = rows.length < PAGE ? undefined : rows.at(-1)!.header.position;
    }
  }

  #page(roomId: RoomId, before: Position): Promise<readonly TimelineRow[]> {
    const key = `${roomId} ${before} ${this.views.position([TIMELINE.name])}`;
    const known = this.#pages.get(key);
    if (known !== undefined) return known.rows;
    const page: Page = { rows: this.#read(roomId, before), length: 0 };
    this.#pages.set(key, page);
    // One that gave way meanwhile does not come back.
    const weigh = (rows: readonly TimelineRow[]): void => {
      if (this.#pages.peek(key) === page) this.#pages.set(key, { ...page, length: lengthOf(rows) });
    };
    page.rows.then(weigh, () => this.#pages.delete(key));
    return page.rows;
  }

  async #read(roomId: RoomId, before: Position): Promise<readonly TimelineRow[]> {
    const range = { prefix: [roomId], before: [roomId, before], reverse: true, limit: PAGE } as const;
    return (await TIMELINE.scan(this.views, range)).map(({ value }) => parseRow(value));
  }
}

function lengthOf(rows: readonly TimelineRow[]): number {
  return rows.reduce((sum, { content }) => sum + content.length, 0);
}
