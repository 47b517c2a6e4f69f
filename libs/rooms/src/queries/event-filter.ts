import { parseFilter, type RoomEventFilter } from '#accounts/filters/filter';
import type { RoomId } from '#kernel/ids';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { compileGlob } from '#protocol/glob';
import type { TimelineRow } from '../projections/timeline-row.js';
import { contentText } from './render-event.js';

/** Whether an event passes a filter. */
export type RowPredicate = (row: TimelineRow) => boolean;

/** Reads the `filter` parameter of a request on one room. Throws M_NOT_JSON, M_BAD_JSON. */
export function parseRoomEventFilter(text: string | undefined): RoomEventFilter {
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MatrixError('M_NOT_JSON', 'filter: not JSON');
  }
  if (!isJsonObject(value)) throw new MatrixError('M_BAD_JSON', 'filter: must be an object');
  return parseFilter({ room: { timeline: value } }).room?.timeline ?? {};
}

/**
 * The test of a RoomEventFilter on events of a room: client-server API, "Filtering". `limit` and lazy loading are for the
 * caller. undefined where everything passes.
 */
export function rowPredicateOf(filter: RoomEventFilter, roomId: RoomId): RowPredicate | undefined {
  if (filter.rooms?.includes(roomId) === false || filter.not_rooms?.includes(roomId) === true) return () => false;
  const tests: RowPredicate[] = [];
  const { types, not_types, senders, not_senders, contains_url } = filter;
  if (types !== undefined) {
    const wanted = typeTest(types);
    tests.push(({ header }) => wanted(header.t));
  }
  if (not_types !== undefined && not_types.length > 0) {
    const unwanted = typeTest(not_types);
    tests.push(({ header }) => !unwanted(header.t));
  }
  if (senders !== undefined) tests.push(({ header }) => senders.includes(header.s));
  if (not_senders !== undefined && not_senders.length > 0) tests.push(({ header }) => !not_senders.includes(header.s));
  if (contains_url !== undefined) tests.push((row) => hasUrl(row) === contains_url);
  return tests.length === 0 ? undefined : (row) => tests.every((test) => test(row));
}

/** The test whether a type is among those of a filter, in which `*` stands for any characters. */
function typeTest(patterns: readonly string[]): (type: string) => boolean {
  const plain = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const globs = patterns.filter((pattern) => pattern.includes('*')).map((pattern) => compileGlob(pattern));
  return (type) => plain.has(type) || globs.some((matches) => matches(type));
}

function hasUrl(row: TimelineRow): boolean {
  const text = contentText(row);
  return text.includes('"url"') && typeof (JSON.parse(text) as JsonObject)['url'] === 'string';
}
