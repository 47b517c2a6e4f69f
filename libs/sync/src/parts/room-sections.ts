import type { AccountData } from '#accounts/queries/account-data';
import type { LogHistory } from '#event-store/log-history';
import { formatStreamPlace } from '#http/tokens/stream-token';
import { NO_TYPING } from '#http/tokens/typing-mark';
import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { passesFilter } from '#rooms/queries/event-filter';
import { isInForce } from '#rooms/queries/state-rows';
import type { SyncContext } from '../streams/sync-context.js';
import { totalUnread, type UnreadByThread, type UnreadCount } from '../unread/count-by-thread.js';
import type { RoomContext } from './room-context.js';
import type { TimelineWindow } from './timeline-window.js';

/** Whether the timeline shows an event: the user is shown it and the filter lets it through. */
export function showsRow(room: RoomContext): (row: TimelineRow) => boolean | Promise<boolean> {
  const { reader } = room;
  const { memberships } = reader;
  const wants = wantsRow(room);
  const shows = (row: TimelineRow): boolean | Promise<boolean> => reader.isShown(row.header) && wants(row);
  const showsAside = async (row: TimelineRow): Promise<boolean> =>
    (await reader.over([row])).isShown(row.header) && wants(row);
  return (row) => {
    const { position, isAside } = row.header;
    if (isAside === true) return showsAside(row);
    return memberships.covers(position) ? shows(row) : memberships.cover(position).then(() => shows(row));
  };
}

/** Whether the filter lets an event into the timeline. */
function wantsRow({ sync, reader }: RoomContext): (row: TimelineRow) => boolean | Promise<boolean> {
  return (row) => passesFilter(sync.filter.timeline, reader, row);
}

/**
 * Whether the timeline shows an event to who is in the room. A state event that is in force is told in any case, for whoever is in the
 * room may read its state: so it stands in its place where the timeline has one for it, also where history hides what was sent around it.
 */
export function showsRowOrState(views: Views, room: RoomContext): (row: TimelineRow) => boolean | Promise<boolean> {
  const shows = showsRow(room);
  const wants = wantsRow(room);
  const showsOther = async (row: TimelineRow): Promise<boolean> =>
    (await wants(row)) && isInForce(views, room.roomId, row);
  return (row) => {
    const isShown = shows(row);
    // Only state can be in force.
    if (row.header.stateKey === undefined) return isShown;
    if (typeof isShown === 'boolean') return isShown || showsOther(row);
    return isShown.then((known) => known || showsOther(row));
  };
}

/**
 * Whether the client may have an older part of the timeline of a room that is told to it from the beginning: it knew the room before it
 * was left, or before the log was put back, and must not glue the two together.
 */
export function mayHaveOlder({ isNew, sync: { since, isAnew } }: RoomContext): boolean {
  return isNew && (since !== undefined || isAnew);
}

/**
 * The `timeline` of a room. `prev_batch` leads to what is before it: a place of the log, for where the room forks what came before may
 * stand after it in the graph.
 */
export function formatTimeline(
  history: LogHistory,
  events: readonly string[],
  { shown, limited }: TimelineWindow,
  { upTo }: Pick<RoomContext, 'upTo'>,
): string {
  const before = prevBatchOf(history, shown, upTo);
  return `{"events":[${events.join()}],"limited":${limited},"prev_batch":"${before}"}`;
}

/** The member `msc4354_sticky`, with a comma behind it; nothing where there is none. */
export function formatSticky(events: readonly string[]): string {
  return events.length === 0 ? '' : `"msc4354_sticky":{"events":[${events.join()}]},`;
}

/** The token that leads to what is before a timeline that ends at a position. */
export function prevBatchOf(history: LogHistory, shown: TimelineWindow['shown'], upTo: Position): string {
  const [first] = shown;
  const place = first === undefined ? upTo : { before: first.header.position };
  return formatStreamPlace(history, { place, typing: NO_TYPING });
}

/** The account data of a room that the filter lets through, each a JSON text. */
export function listRoomAccountData(
  { filter }: SyncContext,
  roomId: RoomId,
  accountData: readonly AccountData[],
): string[] {
  const wanted = accountData.filter(({ type }) => filter.roomAccountData.matches({ type, roomId }));
  return wanted.map(formatAccountData);
}

/** One piece of account data as an event. */
export function formatAccountData({ type, content }: AccountData): string {
  return `{"type":${JSON.stringify(type)},"content":${content}}`;
}

/** The members `unread_notifications` and, where the client wants to know, `unread_thread_notifications`. */
export function formatUnread(counts: UnreadByThread, byThread: boolean): string {
  if (!byThread) return `"unread_notifications":${formatCount(totalUnread(counts))}`;
  const threads = [...counts].filter(([thread]) => thread !== 'main');
  const texts = threads.map(([thread, count]) => `${JSON.stringify(thread)}:${formatCount(count)}`);
  const main = `"unread_notifications":${formatCount(counts.get('main') ?? NOTHING)}`;
  return texts.length === 0 ? main : `${main},"unread_thread_notifications":{${texts.join()}}`;
}

const NOTHING: UnreadCount = Object.freeze({ notifications: 0, highlights: 0 });

function formatCount({ notifications, highlights }: UnreadCount): string {
  return `{"highlight_count":${highlights},"notification_count":${notifications}}`;
}
