import { type EventId, parseEventId } from '#kernel/ids';
import { JsonNumber, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { MissingRequest } from '#rooms/queries/serve-past';

const DEFAULT_LIMIT = 10;

/**
 * What `get_missing_events` is asked: server-server API, "Backfilling and retrieving missing events". `most`: events told, and of each list
 * looked at. Throws M_BAD_JSON, M_INVALID_PARAM.
 */
export function readMissingRequest(content: JsonObject, most: number): MissingRequest {
  return {
    earliest: readList(content, 'earliest_events').slice(0, most),
    latest: readList(content, 'latest_events').slice(0, most),
    limit: Math.min(readCount(content, 'limit') ?? DEFAULT_LIMIT, most),
    minDepth: readCount(content, 'min_depth') ?? 0,
  };
}

/** Event ids that stand under a name. Throws M_MISSING_PARAM where there are none, M_INVALID_PARAM. */
export function readEventIds(values: readonly (JsonValue | undefined)[], name: string): EventId[] {
  if (values.length === 0) throw new MatrixError('M_MISSING_PARAM', `${name}: required`);
  return values.map(parseEventId);
}

function readList(content: JsonObject, key: string): EventId[] {
  const value = content[key];
  // NOTSPEC: both lists are required, but other servers take one that is left out for an empty one, and so do test suites.
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new MatrixError('M_BAD_JSON', `${key}: must be an array`);
  return value.length === 0 ? [] : readEventIds(value as readonly JsonValue[], key);
}

function readCount(content: JsonObject, key: string): number | undefined {
  const value = content[key];
  if (value === undefined || value === null) return undefined;
  const number = typeof value === 'number' || value instanceof JsonNumber ? Number(value) : Number.NaN;
  if (!Number.isInteger(number)) throw new MatrixError('M_BAD_JSON', `${key}: must be an integer`);
  return Math.max(0, number);
}
