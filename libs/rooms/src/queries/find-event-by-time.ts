import type { RoomId, ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { START } from '#kernel/position';
import type { Range } from '#projections/collection';
import type { Views } from '#projections/views';
import type { RowHeader } from '../projections/timeline-row.js';
import { depthKey } from '../projections/event-place.js';
import { TOPOLOGY, type TopologyKey } from '../projections/timeline-collections.js';
import { openRoom } from '../reading/open-room.js';
import type { Reader } from '../reading/reader.js';
import { type OpenBy, openToServerNow } from '../reading/server-reader.js';
import { placeOfTopology, readRowsAt } from '../reading/event-rows.js';

/** How far events may stand from where their time belongs: clocks differ, and bridges send what is old. */
const WINDOW = 200;
/** The most events that are looked at for one that the reader may see. */
const MAX_LOOKED_AT = 5_000;

/**
 * The event closest to a time (milliseconds since the epoch), not before it (`f`) or not after it (`b`), that the reader may
 * see: client-server API, `GET /rooms/{roomId}/timestamp_to_event`. Throws M_NOT_FOUND where there is none, M_FORBIDDEN where
 * the reader may not read the room. Finds the place in the graph by halving the depths, as times mostly grow with them, and
 * the closest of the events around it.
 */
export async function findEventByTime(
  views: Views,
  roomId: RoomId,
  reader: Reader,
  time: number,
  direction: 'b' | 'f',
): Promise<RowHeader> {
  const { room } = await openRoom(views, roomId, reader, 'events');
  return findClosest(views, roomId, { time, direction }, async (headers) => {
    const there = await room.over(headers.map((header) => ({ header })));
    return headers.filter((header) => there.isShown(header));
  });
}

/**
 * As `findEventByTime`, for another server: server-server API, `GET /timestamp_to_event/{roomId}`. Throws M_NOT_FOUND too where nobody
 * here is in the room: others know of closer ones.
 */
export async function serveEventByTime(
  sources: OpenBy,
  roomId: RoomId,
  { server, ours }: { readonly server: ServerName; readonly ours: ServerName },
  time: number,
  direction: 'b' | 'f',
): Promise<RowHeader> {
  const room = await openToServerNow(sources, roomId, server, ours);
  return findClosest(sources.views, roomId, { time, direction }, async (headers) => {
    const seen = await room.seenOf(headers);
    return headers.filter(({ eventId }) => seen.has(eventId));
  });
}

async function findClosest(
  views: Views,
  roomId: RoomId,
  { time, direction }: { readonly time: number; readonly direction: 'b' | 'f' },
  shownOf: (headers: readonly RowHeader[]) => Promise<RowHeader[]>,
): Promise<RowHeader> {
  const fitting = (headers: readonly RowHeader[]): Promise<RowHeader[]> =>
    shownOf(headers.filter(({ sentAt }) => (direction === 'f' ? sentAt >= time : sentAt <= time)));
  const place: TopologyKey = [roomId, depthKey(await firstDepthNotBefore(views, roomId, time)), START];
  const before: Range<TopologyKey> = { before: place, reverse: true };
  const after: Range<TopologyKey> = { from: place };
  const around = [...(await scan(views, roomId, before)).headers, ...(await scan(views, roomId, after)).headers];
  const near = await fitting(around);
  if (near.length > 0) return near.reduce((a, b) => (Math.abs(b.sentAt - time) < Math.abs(a.sentAt - time) ? b : a));
  // Whatever is near is hidden from the reader: the first that is not.
  let range = direction === 'f' ? after : before;
  for (let lookedAt = 0; lookedAt < MAX_LOOKED_AT; lookedAt += WINDOW) {
    const { headers, last } = await scan(views, roomId, range);
    const [found] = await fitting(headers);
    if (found !== undefined) return found;
    if (last === undefined) break;
    range = direction === 'f' ? { after: last } : { before: last, reverse: true };
  }
  throw new MatrixError('M_NOT_FOUND', 'No event on that side of the time');
}

/** The lowest depth from which on the events of the room are not before a time. */
async function firstDepthNotBefore(views: Views, roomId: RoomId, time: number): Promise<number> {
  const [deepest] = (await scan(views, roomId, { reverse: true }, 1)).headers;
  let low = 0;
  let high = (deepest?.depth ?? 0) + 1;
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2);
    const [next] = (await scan(views, roomId, { from: [roomId, depthKey(middle), START] }, 1)).headers;
    if (next === undefined || next.sentAt >= time) high = middle;
    else low = next.depth + 1;
  }
  return low;
}

/** Events in the order of the graph, and the key that the scan ended at. */
async function scan(
  views: Views,
  roomId: RoomId,
  range: Range<TopologyKey>,
  limit = WINDOW,
): Promise<{ readonly headers: RowHeader[]; readonly last: TopologyKey | undefined }> {
  const keys = await TOPOLOGY.scan(views, { prefix: [roomId], ...range, limit });
  const rows = await readRowsAt(views, roomId, keys.map(placeOfTopology));
  return { headers: rows.flatMap((row) => (row === undefined ? [] : [row.header])), last: keys.at(-1)?.key };
}
