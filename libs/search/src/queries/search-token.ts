import type { LogHistory } from '#event-store/log-history';
import { MatrixError } from '#kernel/matrix-error';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import type { Position } from '#kernel/position';
import type { TextKey } from '../projections/text-order.js';
import type { GroupKey } from './parse-search.js';

/** A group of results. */
export interface Group {
  readonly by: GroupKey;
  readonly value: string;
}

/** A result in the order of ranks; of those with the same rank the newest comes first. */
export interface RankedKey {
  readonly rank: number;
  readonly key: TextKey;
}

/** Where a page of results ended. */
export interface SearchPlace {
  /** Up to where the log was looked at: what came since is on no later page. */
  readonly upTo: Position;
  /** In the order of texts: what is left is behind it; undefined: all. */
  readonly behind: TextKey | undefined;
  /** By rank: those up to it are ranked together; undefined: all that are left, or as many as are ranked at once. */
  readonly until?: TextKey;
  /** By rank: the last one of these that was told. */
  readonly last?: RankedKey;
  /** How many results came before the place `behind`. */
  readonly counted: number;
  /** What was told of how many there are. */
  readonly count: number;
  readonly group?: Group;
}

/** What is sealed in `next_batch` of a search, or of a group of its results. */
export function formatSearchPlace(history: LogHistory, place: SearchPlace): string {
  const { upTo, behind, until, last, counted, count, group } = place;
  const keyOf = ({ time, isHistory, position, carriedAs }: TextKey): JsonValue => {
    const key = [time, isHistory, position === undefined ? null : history.format(position)];
    return carriedAs === undefined ? key : [...key, carriedAs];
  };
  const parts = {
    up_to: history.format(upTo),
    behind: behind && keyOf(behind),
    until: until && keyOf(until),
    last: last && { rank: last.rank, key: keyOf(last.key) },
    counted,
    count,
    group,
  };
  return JSON.stringify(parts);
}

/** Reads what `formatSearchPlace` wrote; where a place was lost the search begins again. Throws M_INVALID_PARAM. */
export function parseSearchPlace(history: LogHistory, text: string, now: Position): SearchPlace {
  const places = new PlaceReader(history);
  const parts = objectOf(text);
  const { up_to: upTo, behind, until, last, counted, count, group } = parts;
  const rank = isJsonObject(last) ? last['rank'] : undefined;
  const place = {
    upTo: places.position(upTo),
    behind: behind === undefined ? undefined : places.key(behind),
    ...(until === undefined ? {} : { until: places.key(until) }),
    ...(last === undefined ? {} : { last: { rank: numberIn(rank), key: places.key((last as JsonObject)['key']) } }),
    counted: numberIn(counted),
    count: numberIn(count),
    ...(group === undefined ? {} : { group: groupIn(group) }),
  };
  if (!places.isLost) return place;
  const { group: ofGroup } = place;
  return { upTo: now, behind: undefined, counted: 0, count: 0, ...(ofGroup === undefined ? {} : { group: ofGroup }) };
}

/** Reads the places of a token, and notes whether one was lost. */
class PlaceReader {
  isLost = false;

  constructor(private readonly history: LogHistory) {}

  position(value: JsonValue | undefined): Position {
    const settled = typeof value === 'string' ? this.history.find(value) : undefined;
    if (settled === undefined || typeof settled.place !== 'string') throw noToken();
    this.isLost ||= settled.isLost;
    return settled.place;
  }

  key(value: JsonValue | undefined): TextKey {
    if (!Array.isArray(value)) throw noToken();
    const [time, isHistory, position, carriedAs] = value as readonly JsonValue[];
    if (typeof isHistory !== 'boolean') throw noToken();
    const key = { time: numberIn(time), isHistory, position: position === null ? undefined : this.position(position) };
    return carriedAs === undefined ? key : { ...key, carriedAs: numberIn(carriedAs) };
  }
}

function numberIn(value: JsonValue | undefined): number {
  if (typeof value !== 'number' || value < 0) throw noToken();
  return value;
}

function groupIn(value: JsonValue): Group {
  const { by, value: named } = isJsonObject(value) ? value : {};
  if ((by !== 'room_id' && by !== 'sender') || typeof named !== 'string') throw noToken();
  return { by, value: named };
}

function objectOf(text: string): JsonObject {
  try {
    const parts: unknown = JSON.parse(text);
    if (isJsonObject(parts as JsonValue)) return parts as JsonObject;
  } catch {
    // A text that is no JSON is none either.
  }
  throw noToken();
}

/** Of what is no token, or one that was given to somebody else or for another search. */
export function noToken(): MatrixError {
  return new MatrixError('M_INVALID_PARAM', 'next_batch: not a token of this search');
}
