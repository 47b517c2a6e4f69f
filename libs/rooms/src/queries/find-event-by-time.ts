import type { RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { positionNumber, positionOf } from '#kernel/position';
import type { Views } from '#projections/views';
import { type RowHeader, rowHeaderOf } from '../projections/timeline-row.js';
import { openRoom } from '../reading/open-room.js';
import type { Reader } from '../reading/reader.js';

/** How far events may stand from where their time belongs: clocks differ, and bridges send what is old. */
const WINDOW = 200;
/** The most events that are looked at for one that the reader may see. */
const MAX_LOOKED_AT = 5_000;

/**
 * The event closest to a time (milliseconds since the epoch), not before it (`f`) or not after it (`b`), that the reader may
 * see: client-server API, `GET /rooms/{roomId}/timestamp_to_event`. Throws M_NOT_FOUND where there is none, M_FORBIDDEN where
 * the reader may not read the room. Finds the place in the log by halving, as times mostly grow with it, and the closest of
 * the events around it.
 */
export async function findEventByTime(
  views: Views,
  roomId: RoomId,
  reader: Reader,
  time: number,
  direction: 'b' | 'f',
): Promise<RowHeader> {
  const { room } = await openRoom(views, roomId, reader, 'events');
  const forwards = direction === 'f';
  const fitting = async (headers: readonly RowHeader[]): Promise<RowHeader[]> => {
    const fits = headers.filter(({ o }) => (forwards ? o >= time : o <= time));
    const there = await room.over(fits.map((header) => ({ header })));
    return fits.filter((header) => there.isShown(header));
  };
  const place = await firstPlaceNotBefore(views, roomId, time);
  const around = [
    ...(await scan(views, roomId, place, true, WINDOW)),
    ...(await scan(views, roomId, place - 1, false, WINDOW)),
  ];
  const near = await fitting(around);
  if (near.length > 0) return near.reduce((a, b) => (Math.abs(b.o - time) < Math.abs(a.o - time) ? b : a));
  // Whatever is near is hidden from the reader: the first that is not.
  let at = forwards ? place - 1 : place;
  for (let lookedAt = 0; lookedAt < MAX_LOOKED_AT; lookedAt += WINDOW) {
    const page = await scan(views, roomId, at, !forwards, WINDOW);
    const [found] = await fitting(page);
    if (found !== undefined) return found;
    const last = page.at(-1);
    if (last === undefined) break;
    at = positionNumber(last.p);
  }
  throw new MatrixError('M_NOT_FOUND', 'No event on that side of the time');
}

/** The lowest position in the log, as a number, from which on the events of the room are not before a time. */
async function firstPlaceNotBefore(views: Views, roomId: RoomId, time: number): Promise<number> {
  let low = 0;
  let high = positionNumber(views.position()) + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [next] = await scan(views, roomId, middle - 1, false, 1);
    if (next === undefined || next.o >= time) high = middle;
    else low = positionNumber(next.p) + 1;
  }
  return low;
}

/** The events behind a position (exclusive), or before it going backwards. */
async function scan(
  views: Views,
  roomId: RoomId,
  position: number,
  reverse: boolean,
  limit: number,
): Promise<RowHeader[]> {
  if (position < 0) return scan(views, roomId, 0, reverse, limit);
  const key = [roomId, positionOf(position)];
  const range = reverse ? { before: key } : { after: key };
  const rows = await views.scan('timeline', { prefix: [roomId], ...range, reverse, limit });
  return rows.map(({ value }) => rowHeaderOf(value));
}
