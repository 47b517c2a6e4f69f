import type { ThreadsPlace } from '#http/tokens/threads-token';
import type { EventId, RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { boundUpTo } from '#read-models/place-bounds';
import { depthKey, depthOfKey } from '../projections/event-place.js';
import { PAST_THREADS, THREADS_LOG } from '../projections/relations.projector.js';
import type { TimelineRow } from '../projections/timeline-row.js';
import { openRoom } from '../reading/open-room.js';
import type { Reader } from '../reading/reader.js';
import type { RoomReader } from '../reading/room-reader.js';
import { findRowsById } from '../reading/event-rows.js';
import { readBundles } from './read-bundles.js';

export interface ThreadsRequest {
  /** Only threads whose last event is before this place; undefined: from the newest on. */
  readonly from?: ThreadsPlace;
  readonly limit: number;
  /** Only those that the reader took part in. */
  readonly participated: boolean;
}

export interface ThreadsPage {
  readonly room: RoomReader;
  /** The roots, the thread with the newest event first; behind those with news the others, in the order of the graph. */
  readonly roots: readonly TimelineRow[];
  /** Where to go on; undefined where there is nothing more. */
  readonly next: ThreadsPlace | undefined;
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
  let next = from;
  for (let looked = 0; looked < MAX_LOOKED_AT; looked += PAGE) {
    const page = await scanThreads(views, roomId, next);
    const ids = page.map(({ root }) => root);
    const shown = await findShown(room, ids, participated);
    for (const [i, { root: id, place }] of page.entries()) {
      next = place;
      const root = shown.get(id);
      if (root !== undefined) roots.push(root);
      if (roots.length === limit)
        return { room, roots, next: i + 1 < page.length || page.length === PAGE ? next : undefined };
    }
    if (page.length < PAGE) return { room, roots, next: undefined };
  }
  return { room, roots, next };
}

interface PlacedThread {
  readonly root: EventId;
  /** Just before its last event. */
  readonly place: ThreadsPlace;
}

/** A page of the threads whose last event is before a place. */
async function scanThreads(views: Views, roomId: RoomId, from: ThreadsPlace | undefined): Promise<PlacedThread[]> {
  const { depth, place } = from ?? {};
  const threads: PlacedThread[] = [];
  if (depth === undefined) {
    const bound = place && boundUpTo([roomId], place);
    const news = await THREADS_LOG.scan(views, { prefix: [roomId], ...bound, reverse: true, limit: PAGE });
    threads.push(...news.map(({ key, value }) => ({ root: value, place: { place: { before: key[1] } } })));
  }
  if (threads.length === PAGE) return threads;
  const bound = depth === undefined || place === undefined ? {} : boundUpTo([roomId, depthKey(depth)], place);
  const limit = PAGE - threads.length;
  const past = await PAST_THREADS.scan(views, { prefix: [roomId], ...bound, reverse: true, limit });
  for (const { key, value } of past)
    threads.push({ root: value, place: { depth: depthOfKey(key[1]), place: { before: key[2] } } });
  return threads;
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
