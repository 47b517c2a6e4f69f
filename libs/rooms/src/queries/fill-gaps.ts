import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { EventId, RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { HISTORY_ELSEWHERE, type HistoryElsewhere } from '../history-elsewhere.js';
import { findPlaces } from '../reading/event-rows.js';
import { openRoom } from '../reading/open-room.js';
import type { Reader } from '../reading/reader.js';
import type { Gap } from './find-gap.js';

/** How long a client waits for history that other servers have. What comes later it finds when it asks again. */
const WITHIN_MS = 10_000;
/** How often is fetched and read again because of one request. */
const MOST_ROUNDS = 10;
/** How many events are fetched at once, at least: a page of a few is mostly not the last that is asked for. */
const FETCHED = 50;
/** Around an event that somebody looks up. */
const AROUND = 10;

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
   * As `read`, for one event: what `find` throws M_NOT_FOUND for is fetched where the room does not have it, for who may read the room.
   */
  async find<T>(roomId: RoomId, eventId: EventId, reader: Reader, find: () => Promise<T>): Promise<T> {
    try {
      return await find();
    } catch (error) {
      if (!(error instanceof MatrixError) || error.errcode !== 'M_NOT_FOUND') throw error;
      if (!(await this.#isElsewhere(roomId, eventId, reader))) throw error;
      const until = this.stopwatch.elapsed() + WITHIN_MS;
      if (!(await this.#within(until, this.elsewhere.fetch(roomId, [eventId], AROUND)))) throw error;
      return find();
    }
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
    const fetched = gaps.map(({ missing }) => this.elsewhere.fetch(roomId, missing, limit));
    return this.#within(
      until,
      Promise.all(fetched).then((all) => all.includes(true)),
    );
  }

  /** What is not there in time goes on without us, and is found by who asks again. */
  async #within(until: number, fetched: Promise<boolean>): Promise<boolean> {
    const left = until - this.stopwatch.elapsed();
    fetched.catch(() => {});
    const over = new AbortController();
    const tooLong = delay(Math.max(left, 1), false, { signal: over.signal, ref: false }).catch(() => false);
    try {
      return await Promise.race([fetched, tooLong]);
    } finally {
      over.abort();
    }
  }
}
