import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { EventId, RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { HISTORY_ELSEWHERE, type HistoryElsewhere } from '../history-elsewhere.js';
import { findPlaces } from '../reading/event-rows.js';
import { openRoom } from '../reading/open-room.js';
import type { Reader } from '../reading/reader.js';
import { findGap, type Gap } from './find-gap.js';

/** How long a client waits for history that other servers have. What comes later it finds when it asks again. */
const WITHIN_MS = 10_000;
/** How often is fetched and read again because of one request. */
const MOST_ROUNDS = 10;
/** How many events are fetched at once, at least: a page of a few is mostly not the last that is asked for. */
const FETCHED = 50;
/** And at most. */
const MOST_FETCHED = 100;

/** Fetches what a reader comes to that is not here: client-server API, `GET /messages`, "will be fetched over federation". */
@Injectable()
export class FillGaps {
  constructor(
    @Inject(HISTORY_ELSEWHERE) private readonly elsewhere: HistoryElsewhere,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {}

  /**
   * What `read` answers once what its `gaps` lack is here, as far as that is to be had in some seconds; else as it is, for a client is
   * answered in any case. `gapsOf`: those that are worth waiting for.
   */
  async read<T>(
    roomId: RoomId,
    limit: number,
    read: () => Promise<T>,
    gapsOf: (page: T) => readonly Gap[],
  ): Promise<T> {
    const until = this.stopwatch.elapsed() + WITHIN_MS;
    let page = await read();
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const gaps = gapsOf(page);
      if (gaps.length === 0 || !(await this.#fetchSome(roomId, gaps, Math.max(limit, FETCHED), until))) return page;
      page = await read();
    }
    return page;
  }

  /**
   * As `read`, for one event: where `find` throws M_NOT_FOUND for what the room does not have, the gap is filled behind which the event is,
   * for who may read the room. The event alone is never taken for one of the past: it may be news that has not come yet.
   */
  async find<T>(roomId: RoomId, eventId: EventId, reader: Reader, find: () => Promise<T>): Promise<T> {
    const until = this.stopwatch.elapsed() + WITHIN_MS;
    let depth: number | undefined;
    for (let round = 0; ; round++) {
      try {
        return await find();
      } catch (error) {
        if (!(error instanceof MatrixError) || error.errcode !== 'M_NOT_FOUND' || round === MOST_ROUNDS) throw error;
        if (!(await this.#isElsewhere(roomId, eventId, reader))) throw error;
        depth ??= await this.#within(until, this.elsewhere.findDepth(roomId, eventId));
        if (depth === undefined || !(await this.#fillAbove(roomId, depth, until))) throw error;
      }
    }
  }

  /** Fetches some of what is missing at the gap that comes next after a depth. Answers whether anything came in time. */
  async #fillAbove(roomId: RoomId, depth: number, until: number): Promise<boolean> {
    const from = { depth: depth + 1, place: START };
    const gap = await findGap(this.views, roomId, { direction: 'f', from });
    return gap !== undefined && this.#fetchSome(roomId, [gap], MOST_FETCHED, until);
  }

  async #isElsewhere(roomId: RoomId, eventId: EventId, reader: Reader): Promise<boolean> {
    const [place] = await findPlaces(this.views, roomId, [eventId]);
    if (place !== undefined && place.isPlaceless !== true) return false;
    try {
      await openRoom(this.views, roomId, reader, 'events');
      return true;
    } catch (error) {
      if (error instanceof MatrixError) return false;
      throw error;
    }
  }

  /** Answers whether anything came in time. */
  async #fetchSome(roomId: RoomId, gaps: readonly Gap[], limit: number, until: number): Promise<boolean> {
    const fetched = Promise.all(gaps.map(({ missing }) => this.elsewhere.fetch(roomId, missing, limit)));
    return (await this.#within(until, fetched))?.includes(true) === true;
  }

  /** What is not there in time goes on without us, and is found by who asks again. */
  async #within<T>(until: number, fetched: Promise<T>): Promise<T | undefined> {
    const left = until - this.stopwatch.elapsed();
    fetched.catch(() => {});
    const over = new AbortController();
    const tooLong = delay(Math.max(left, 1), undefined, { signal: over.signal, ref: false }).catch(() => undefined);
    try {
      return await Promise.race([fetched, tooLong]);
    } finally {
      over.abort();
    }
  }
}
