import { compileMatcher } from '#accounts/filters/event-matcher';
import { parseFilter, type RoomEventFilter } from '#accounts/filters/filter';
import { parseJsonParameter } from '#http/json-text';
import { type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import type { TimelineRow } from '../projections/timeline-row.js';

/** Whether an event passes a filter. */
export type RowPredicate = (row: TimelineRow) => boolean;

/** Reads the `filter` parameter of a request on one room. Throws M_NOT_JSON, M_BAD_JSON. */
export function parseRoomEventFilter(text: string | undefined, reader: UserId): RoomEventFilter {
  if (text === undefined) return {};
  const value = parseJsonParameter('filter', text);
  return parseFilter({ room: { timeline: value } }, serverNameOf(reader)).room?.timeline ?? {};
}

/**
 * The test of a RoomEventFilter on events of a room: client-server API, "Filtering". `limit` and lazy loading are for the
 * caller. undefined where everything passes.
 */
export function rowPredicateOf(filter: RoomEventFilter, roomId: RoomId): RowPredicate | undefined {
  const matcher = compileMatcher(filter);
  if (matcher.matchesAll) return undefined;
  if (!matcher.matchesRoom(roomId)) return () => false;
  return ({ header, json }) => matcher.matches({ type: header.t, sender: header.s, roomId, json });
}
