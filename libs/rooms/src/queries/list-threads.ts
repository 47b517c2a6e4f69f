import type { EventId, RoomId } from '#kernel/ids';
import type { Place, Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { boundUpTo } from '#read-models/place-bounds';
import { THREADS_LOG } from '../projections/relations.projector.js';
import type { TimelineRow } from '../projections/timeline-row.js';
import { openRoom } from '../reading/open-room.js';
import type { Reader } from '../reading/reader.js';
import type { RoomReader } from '../reading/room-reader.js';
import { findRowsById } from '../reading/event-rows.js';
import { readBundles } from './read-bundles.js';

export interface ThreadsRequest {
  /** Only threads whose last event is before this place; undefined: from the newest on. */
  readonly from?: Place;
  readonly limit: number;
  /** Only those that the reader took part in. */
  readonly participated: boolean;
}

export interface ThreadsPage {
  readonly room: RoomReader;
  /** The roots, the thread with the newest event first. */
  readonly roots: readonly TimelineRow[];
  /** Where to go on; undefined where there is nothing more. */
  readonly next: Position | undefined;
}

const PAGE = 50;
/** The most threads that one request looks at: a page may be short, and still lead on. */
const MAX_LOOKED_AT = 1_000;

/**
 * The threads of a room that the reader is shown, by their last events: client-server API, "Querying threads in a room". A
 * root of an ignored user comes without its content. Throws M_FORBIDDEN.
 */
export async function listThreads(
  views: Views,
  roomId: RoomId,
  reader: Reader,
  { from, limit, participated }: ThreadsRequest,
): Promise<ThreadsPage> {
  const { room } = await openRoom(views, roomId, reader, 'events');
  const roots: TimelineRow[] = [];
  let place = from;
  let next: Position | undefined;
  for (let looked = 0; looked < MAX_LOOKED_AT; looked += PAGE) {
    const bound = place && boundUpTo([roomId], place);
    const page = await THREADS_LOG.scan(views, { prefix: [roomId], ...bound, reverse: true, limit: PAGE });
    const shown = await findShown(
      room,
      page.map(({ value }) => value),
      participated,
    );
    for (const [i, { key, value }] of page.entries()) {
      next = key[1];
      place = { before: next };
      const root = shown.get(value);
      if (root !== undefined) roots.push(root);
      if (roots.length === limit)
        return { room, roots, next: i + 1 < page.length || page.length === PAGE ? next : undefined };
    }
    if (page.length < PAGE) return { room, roots, next: undefined };
  }
  return { room, roots, next };
}

/** Those of some threads that the reader is shown, by their roots' ids. */
async function findShown(
  room: RoomReader,
  ids: readonly EventId[],
  participated: boolean,
): Promise<ReadonlyMap<string, TimelineRow>> {
  const rows = (await findRowsById(room.views, room.roomId, ids)).filter((row) => row !== undefined);
  const there = await room.over(rows);
  const visible = rows.filter(({ header }) => there.maySee(header));
  const bundles = await readBundles(room, visible, {});
  const shown = new Map<string, TimelineRow>();
  for (const row of visible) {
    const { header } = row;
    const thread = bundles.get(header.eventId)?.thread;
    if (thread === undefined || (participated && !thread.participated)) continue;
    // "If the thread root event was sent by an ignored user, the event is returned redacted to the caller."
    shown.set(header.eventId, there.ignores(header) ? { header, content: '{}' } : row);
  }
  return shown;
}
