import { Inject, Injectable, Optional } from '@nestjs/common';
import type { RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import type { RowHeader } from '../projections/timeline-row.js';
import type { Reader } from '../reading/reader.js';
import { TIMES_ELSEWHERE, type TimedEvent, type TimesElsewhere } from '../times-elsewhere.js';
import { FillGaps } from './fill-gaps.js';
import { findEventByTime } from './find-event-by-time.js';
import { findGap } from './find-gap.js';
import { getEvent } from './get-event.js';
import { FIRST } from './timeline-places.js';

type Direction = 'b' | 'f';

/** Events by their time, also those that only other servers have: client-server API, `GET /rooms/{roomId}/timestamp_to_event`. */
@Injectable()
export class ClosestEvents {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly gaps: FillGaps,
    @Optional() @Inject(TIMES_ELSEWHERE) private readonly elsewhere?: TimesElsewhere,
  ) {}

  /**
   * As `findEventByTime`. Where events are missing here that may be closer, others are asked, and what they name is fetched: it counts
   * where the reader may see it.
   */
  async find(roomId: RoomId, reader: Reader, time: number, direction: Direction): Promise<RowHeader> {
    const here = (side: Direction): Promise<RowHeader | undefined> => this.#findHere(roomId, reader, time, side);
    const found = await here(direction);
    const isExact = found?.sentAt === time;
    if (this.elsewhere !== undefined && !isExact) {
      const [before, after] = direction === 'b' ? [found, await here('f')] : [await here('b'), found];
      if (await this.#hasGap(roomId, before, after)) {
        const named = await this.elsewhere.findByTime(roomId, time, direction);
        const fetched = named && (await this.#fetch(roomId, reader, named, { time, direction, than: found }));
        if (fetched !== undefined) return fetched;
      }
    }
    if (found === undefined) throw new MatrixError('M_NOT_FOUND', 'No event on that side of the time');
    return found;
  }

  /** Throws M_FORBIDDEN where the reader may not read the room. */
  async #findHere(roomId: RoomId, reader: Reader, time: number, side: Direction): Promise<RowHeader | undefined> {
    return orNothing(findEventByTime(this.views, roomId, reader, time, side));
  }

  async #hasGap(roomId: RoomId, before: RowHeader | undefined, after: RowHeader | undefined): Promise<boolean> {
    const placeOf = ({ depth, position }: RowHeader) => ({ depth, place: position });
    const from = before === undefined ? FIRST : placeOf(before);
    const gap = await findGap(this.views, roomId, { direction: 'f', from, to: after && placeOf(after) });
    return gap !== undefined;
  }

  /** What a server says of an event's time is not believed. */
  async #fetch(
    roomId: RoomId,
    reader: Reader,
    { eventId, sentAt }: TimedEvent,
    wanted: Wanted,
  ): Promise<RowHeader | undefined> {
    if (!isCloser(sentAt, wanted)) return undefined;
    const get = () => getEvent(this.views, roomId, eventId, reader);
    const header = (await orNothing(this.gaps.find(roomId, eventId, reader, get)))?.row.header;
    return header !== undefined && isCloser(header.sentAt, wanted) ? header : undefined;
  }
}

interface Wanted {
  readonly time: number;
  readonly direction: Direction;
  /** What is here; undefined: nothing. */
  readonly than: RowHeader | undefined;
}

function isCloser(sentAt: number, { time, direction, than }: Wanted): boolean {
  if (direction === 'f' ? sentAt < time : sentAt > time) return false;
  return than === undefined || Math.abs(sentAt - time) < Math.abs(than.sentAt - time);
}

async function orNothing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof MatrixError && error.errcode === 'M_NOT_FOUND') return undefined;
    throw error;
  }
}
