import { compileMatcher } from '#accounts/filters/event-matcher';
import type { RoomEventFilter } from '#accounts/filters/filter';
import type { TimelinePlace } from '#http/tokens/timeline-token';
import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { depthOfKey } from '../projections/event-place.js';
import { TOPOLOGY } from '../projections/timeline-collections.js';
import type { RowHeader, TimelineRow } from '../projections/timeline-row.js';
import type { OpenRoom } from '../reading/open-room.js';
import { passesFilter } from './event-filter.js';
import { placeOfTopology, readRowsAt } from '../reading/event-rows.js';
import { findGap, findGapAt, type Gap } from './find-gap.js';
import { findStateRowsAfter } from './past-state.js';
import { FIRST, isSamePlace, justAfter, justBefore, placeAfter, topologyRange } from './timeline-places.js';

export interface PageRequest {
  readonly direction: 'b' | 'f';
  /** Where to begin: exclusive. undefined: at the end that the direction leads away from. */
  readonly from?: TimelinePlace;
  /** Where to end: the events after it (in the direction) are left out. */
  readonly to?: TimelinePlace;
  readonly limit: number;
  readonly filter?: RoomEventFilter;
}

/** Events in the direction asked for. Tokens name the places at the page's two ends. */
export interface MessagesPage {
  readonly rows: readonly TimelineRow[];
  readonly start: TimelinePlace;
  /**
   * Where to go on; undefined where there is nothing more. Going forwards there is always something to come, so there only an
   * empty page says that nothing is left.
   */
  readonly end: TimelinePlace | undefined;
  /**
   * Where history is missing: at the place at which the page began, which it went past, and at that at which it ended.
   */
  readonly gaps: readonly Gap[];
}

/** How many events a page looks at before it answers with what it has: a filter that lets nothing pass must end. */
const MAX_LOOKED_AT = 5_000;

/**
 * A page of a room's events in the order of (depth, position), those the reader may see: client-server API, "Syncing",
 * `GET /rooms/{roomId}/messages`. In both directions it ends where history is missing, and leads on from there: its caller can fetch
 * what is missing, and a client that it comes too late for can ask again.
 */
export async function listMessages(open: OpenRoom, asked: PageRequest): Promise<MessagesPage> {
  const { views, roomId } = open.room;
  const { direction, limit, filter = {} } = asked;
  const start = asked.from ?? (direction === 'b' ? await lastPlace(open) : FIRST);
  const request = { ...asked, to: asked.to ?? (direction === 'f' ? await endOfStay(open) : undefined) };
  if (limit === 0) return { rows: [], start, end: start, gaps: [] };
  const matcher = compileMatcher(filter);
  const rows: TimelineRow[] = [];
  const passed = await findGapAt(views, roomId, start);
  let next = await findGap(views, roomId, { ...request, from: start });
  const gaps = passed === undefined ? [] : [passed];
  let at = start;
  let lookedAt = 0;
  for (;;) {
    const size = Math.min(Math.max(limit - rows.length, 1) + 1, 500);
    const page = await scanTopology(views, roomId, at, request, size);
    const room = await open.room.over(page);
    for (const row of page) {
      const reached: Gap | undefined = next && isSamePlace(justBefore(row), next.place) ? next : undefined;
      // What a room begins with here may have nothing before it: a page that told nothing would look like the last.
      if (reached !== undefined && direction === 'f') {
        gaps.push(reached);
        if (lookedAt > 0) return { rows, start, end: reached.place, gaps };
        next = await findGap(views, roomId, { ...request, from: reached.place });
      }
      at = direction === 'b' ? justBefore(row) : justAfter(row);
      lookedAt++;
      if (room.isShown(row.header) && (matcher.matchesAll || (await passesFilter(matcher, room, row)))) rows.push(row);
      if (reached !== undefined && direction === 'b') return { rows, start, end: at, gaps: [...gaps, reached] };
      if (rows.length >= limit) break;
    }
    const exhausted = page.length < size;
    if (rows.length >= limit || exhausted || lookedAt >= MAX_LOOKED_AT) {
      const more = direction === 'f' ? rows.length > 0 || !exhausted : await hasMore(views, roomId, at, request);
      return { rows, start, end: more ? at : undefined, gaps };
    }
  }
}

/** The gaps that a page lacks events for: that at which it began, and where it is not full that at which it ended. */
export function gapsWithin({ rows, start, gaps }: MessagesPage, { limit }: Pick<PageRequest, 'limit'>): readonly Gap[] {
  return rows.length < limit ? gaps : gaps.filter(({ place }) => isSamePlace(place, start));
}

/** Where a reader's last stay ended who is not let in any further: whichever way they read, there is nothing behind it. */
async function endOfStay({ room: { views, roomId }, until }: OpenRoom): Promise<TimelinePlace | undefined> {
  return until === undefined ? undefined : placeAfter(views, roomId, until, 'upper');
}

/** Where the newest page begins: after the last event of the graph, or after the last that was before the reader's eyes. */
async function lastPlace(open: OpenRoom): Promise<TimelinePlace> {
  const end = await endOfStay(open);
  if (end !== undefined) return end;
  const { views, roomId } = open.room;
  const [last] = await TOPOLOGY.scan(views, { prefix: [roomId], reverse: true, limit: 1 });
  return last === undefined ? FIRST : { depth: depthOfKey(last.key[1]), place: last.key[2] };
}

/** The member events of the senders of some events as of the last of those in the graph: `state` of a page with lazy loading. */
export async function memberRowsOf(views: Views, roomId: RoomId, rows: readonly TimelineRow[]): Promise<TimelineRow[]> {
  if (rows.length === 0) return [];
  const senders = new Set(rows.map(({ header }) => header.sender));
  const keys = [...senders].map((sender) => ['m.room.member', sender] as const);
  const last = rows.map(({ header }) => header).reduce((a, b) => (isLater(b, a) ? b : a));
  return findStateRowsAfter(views, roomId, keys, last);
}

/** Whether an event comes after another in the order of the graph. */
function isLater(a: RowHeader, b: RowHeader): boolean {
  return a.depth === b.depth ? a.position > b.position : a.depth > b.depth;
}

async function scanTopology(
  views: Views,
  roomId: RoomId,
  at: TimelinePlace,
  { direction, to }: PageRequest,
  limit: number,
): Promise<TimelineRow[]> {
  const reverse = direction === 'b';
  const range = reverse ? topologyRange(roomId, to, at) : topologyRange(roomId, at, to);
  const keys = await TOPOLOGY.scan(views, { ...range, reverse, limit });
  const rows = await readRowsAt(views, roomId, keys.map(placeOfTopology));
  return rows.filter((row) => row !== undefined);
}

async function hasMore(views: Views, roomId: RoomId, at: TimelinePlace, request: PageRequest): Promise<boolean> {
  return (await scanTopology(views, roomId, at, request, 1)).length > 0;
}
