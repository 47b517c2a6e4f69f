import { compileMatcher } from '#accounts/filters/event-matcher';
import type { RoomEventFilter } from '#accounts/filters/filter';
import type { TimelinePlace } from '#http/tokens/timeline-token';
import type { EventId, RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { TimelineRow } from '../projections/timeline-row.js';
import { letIn, openRoom } from '../reading/open-room.js';
import type { Reader } from '../reading/reader.js';
import type { RoomReader } from '../reading/room-reader.js';
import { filterRows } from './event-filter.js';
import { getEvent } from './get-event.js';
import { findGapAt, type Gap } from './find-gap.js';
import { untilWhole } from './partial-rooms.js';
import { listMessages, type MessagesPage } from './list-messages.js';
import { justBefore, justAfter } from './timeline-places.js';
import { listStateRowsAfter } from './past-state.js';

/** An event with what surrounds it. */
export interface EventContext {
  readonly room: RoomReader;
  readonly event: TimelineRow;
  /** Newest first. */
  readonly before: readonly TimelineRow[];
  /** Oldest first. */
  readonly after: readonly TimelineRow[];
  /** The state after the last event; of it those events alone that the reader may see, where the room's state is closed to them. */
  readonly state: readonly TimelineRow[];
  readonly start: TimelinePlace;
  readonly end: TimelinePlace;
  /** Where history is missing: just before the event, or at either end. */
  readonly gaps: readonly Gap[];
}

const NOTHING: Pick<MessagesPage, 'rows' | 'gaps'> = Object.freeze({ rows: [], gaps: [] });

/**
 * `limit` events around one, half before and half after: client-server API, `GET /rooms/{roomId}/context/{eventId}`. Throws
 * M_FORBIDDEN where the reader may not read the room at all, M_NOT_FOUND as `getEvent`, RoomIsPartial where all
 * of the state is wanted and is not here in time.
 */
export async function getContext(
  views: Views,
  roomId: RoomId,
  eventId: EventId,
  reader: Reader,
  limit: number,
  filter: RoomEventFilter,
): Promise<EventContext> {
  const { room, row: event } = await getEvent(views, roomId, eventId, reader).catch(async (error: unknown) => {
    await openRoom(views, roomId, reader, 'events');
    throw error;
  });
  // Who loads members lazily is told those of the senders, who are here.
  if (filter.lazy_load_members !== true && room.isIn) await untilWhole(views, roomId);
  const half = Math.floor(limit / 2);
  const page = (direction: 'b' | 'f', size: number): ReturnType<typeof listMessages> => {
    const from = direction === 'b' ? justBefore(event) : justAfter(event);
    return listMessages({ room, until: undefined }, { direction, from, limit: size, filter });
  };
  // What is known of the time before a gap does not surround the event.
  const gap = await findGapAt(views, roomId, justBefore(event));
  const earlier = half > 0 && gap === undefined ? await page('b', half) : NOTHING;
  const later = limit - half > 0 ? await page('f', limit - half) : NOTHING;
  const [before, after] = [earlier.rows, later.rows];
  const last = after.at(-1) ?? event;
  const first = before.at(-1) ?? event;
  const matcher = compileMatcher({ ...filter, contains_url: undefined });
  // With lazy loading: of the members only the senders.
  const senders = filter.lazy_load_members === true ? sendersOf([event, ...before, ...after]) : undefined;
  const there = await listStateRowsAfter(views, roomId, last.header, senders);
  const state = await filterRows(matcher, room, (await mayReadStateAt(room, last)) ? there : await room.shownOf(there));
  return {
    room,
    event,
    before,
    after,
    state,
    start: justBefore(first),
    end: justAfter(last),
    gaps: [...(gap === undefined ? [] : [gap]), ...earlier.gaps, ...later.gaps],
  };
}

/**
 * Whether a reader who may see an event may read all of the state after it. Who has left and is shown what came later, as an invitation
 * is, may not: of the state they are shown that at the end of their stay.
 */
async function mayReadStateAt(room: RoomReader, { header }: TimelineRow): Promise<boolean> {
  const { visibility, setsVisibility, isHistory, position } = header;
  if (visibility === 'world_readable' || setsVisibility === 'world_readable') return true;
  const open = await letIn(room);
  if (open === undefined) return false;
  // Where an event of the past stands in the log says nothing of its time: it was shown for what they were at it.
  return open.until === undefined || isHistory === true || position <= open.until;
}

function sendersOf(rows: readonly TimelineRow[]): ReadonlySet<string> {
  return new Set(rows.map(({ header }) => header.sender));
}
