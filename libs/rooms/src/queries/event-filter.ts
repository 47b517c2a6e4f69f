import type { EventMatcher } from '#accounts/filters/event-matcher';
import { parseFilter, type RoomEventFilter } from '#accounts/filters/filter';
import { parseJsonParameter } from '#http/json-text';
import { serverNameOf, type UserId } from '#kernel/ids';
import type { TimelineRow } from '../projections/timeline-row.js';
import type { RoomReader } from '../reading/room-reader.js';
import { asServed, withhold } from '../reading/withhold.js';

/** Reads the `filter` parameter of a request on one room. Throws M_NOT_JSON, M_BAD_JSON. */
export function parseRoomEventFilter(text: string | undefined, reader: UserId): RoomEventFilter {
  if (text === undefined) return {};
  const value = parseJsonParameter('filter', text);
  return parseFilter({ room: { timeline: value } }, serverNameOf(reader)).room?.timeline ?? {};
}

/**
 * Whether an event passes a filter as it is served to the reader: a filter must not tell what is withheld from them. PERF:
 * known at once, unless the filter looks into contents.
 */
export function passesFilter(matcher: EventMatcher, room: RoomReader, row: TimelineRow): boolean | Promise<boolean> {
  if (matcher.matchesAll) return true;
  if (!matcher.readsContent) return matchesRow(matcher, room, row);
  return asServed(room, row).then((served) => matchesRow(matcher, room, served));
}

function matchesRow(matcher: EventMatcher, { roomId }: RoomReader, { header, content }: TimelineRow): boolean {
  const json = matcher.readsContent ? `{"content":${content}}` : undefined;
  return matcher.matches({ type: header.type, sender: header.sender, roomId, json });
}

/** Those of some events that pass a filter. PERF: who has erased themselves is looked up once for all of them. */
export async function filterRows(
  matcher: EventMatcher,
  room: RoomReader,
  rows: readonly TimelineRow[],
): Promise<readonly TimelineRow[]> {
  if (matcher.matchesAll) return rows;
  const served = matcher.readsContent ? await withhold(await room.over(rows), rows) : rows;
  return rows.filter((_, i) => matchesRow(matcher, room, served[i]!));
}
