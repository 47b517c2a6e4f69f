import { parseFilter, type RoomEventFilter } from '#accounts/filters/filter';
import { serverNameOf, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { TextKind } from '../projections/shelf-row.js';

/** By what results are grouped. */
export type GroupKey = 'room_id' | 'sender';

/** What surrounds each result. */
export interface ContextWish {
  readonly before: number;
  readonly after: number;
  readonly withProfiles: boolean;
}

/** What a client looks for. */
export interface SearchRequest {
  readonly term: string;
  readonly kinds: ReadonlySet<TextKind>;
  readonly filter: RoomEventFilter;
  readonly limit: number;
  readonly order: 'rank' | 'recent';
  readonly context: ContextWish | undefined;
  readonly withState: boolean;
  readonly groupBy: readonly GroupKey[];
}

const DEFAULT_LIMIT = 10;
const MAX_LIMIT = 100;
const DEFAULT_CONTEXT = 5;
const MAX_CONTEXT = 50;
const MAX_TERM = 1_000;

const KEYS: Readonly<Record<string, TextKind>> = {
  'content.body': 'body',
  'content.name': 'name',
  'content.topic': 'topic',
};
const ALL_KINDS: ReadonlySet<TextKind> = new Set(Object.values(KEYS));

/**
 * Reads the body of `POST /search` (client-server API, "Server Side Search"); undefined where it asks for no category that there is. Throws
 * M_MISSING_PARAM, M_BAD_JSON, which name the key.
 */
export function parseSearch(body: JsonObject, reader: UserId): SearchRequest | undefined {
  const categories = body['search_categories'];
  if (categories === undefined) throw new MatrixError('M_MISSING_PARAM', 'search_categories: required');
  if (!isJsonObject(categories)) fail('search_categories', 'an object');
  const events = objectAt(categories, 'room_events');
  if (events === undefined) return undefined;
  const { search_term: term } = events;
  if (term === undefined) throw new MatrixError('M_MISSING_PARAM', 'search_term: required');
  if (typeof term !== 'string' || term.length > MAX_TERM)
    fail('search_term', `a text of at most ${MAX_TERM} characters`);
  const wish = objectAt(events, 'filter');
  const filter =
    wish === undefined ? {} : parseFilter({ room: { timeline: wish } }, serverNameOf(reader)).room?.timeline;
  return {
    term,
    kinds: kindsOf(events['keys'] ?? undefined),
    filter: filter ?? {},
    limit: Math.min(filter?.limit ?? DEFAULT_LIMIT, MAX_LIMIT),
    order: oneOf(events, 'order_by', ['rank', 'recent'] as const) ?? 'rank',
    context: contextOf(objectAt(events, 'event_context')),
    withState: booleanAt(events, 'include_state') ?? false,
    groupBy: groupsOf(objectAt(events, 'groupings')),
  };
}

function fail(key: string, what: string): never {
  throw new MatrixError('M_BAD_JSON', `${key}: must be ${what}`);
}

function kindsOf(value: JsonValue | undefined): ReadonlySet<TextKind> {
  if (value === undefined) return ALL_KINDS;
  const names = Array.isArray(value) ? (value as readonly JsonValue[]) : fail('keys', 'a list');
  return new Set(
    names.map((name) => {
      const kind = typeof name === 'string' && Object.hasOwn(KEYS, name) ? KEYS[name] : undefined;
      return kind ?? fail('keys', `of ${Object.keys(KEYS).join(', ')}`);
    }),
  );
}

function contextOf(value: JsonObject | undefined): ContextWish | undefined {
  if (value === undefined) return undefined;
  return {
    before: limitAt(value, 'before_limit'),
    after: limitAt(value, 'after_limit'),
    withProfiles: booleanAt(value, 'include_profile') ?? false,
  };
}

function groupsOf(value: JsonObject | undefined): readonly GroupKey[] {
  const groups = value?.['group_by'] ?? [];
  const list = Array.isArray(groups) ? (groups as readonly JsonValue[]) : fail('group_by', 'a list');
  const keys = list.map((group) => {
    const key = isJsonObject(group) ? oneOf(group, 'key', ['room_id', 'sender'] as const) : undefined;
    return key ?? fail('group_by', 'a list of objects with a key');
  });
  return [...new Set(keys)];
}

function limitAt(object: JsonObject, key: string): number {
  const value = object[key] ?? DEFAULT_CONTEXT;
  if (!Number.isSafeInteger(value) || (value as number) < 0) fail(key, 'a natural number');
  return Math.min(value as number, MAX_CONTEXT);
}

function booleanAt(object: JsonObject, key: string): boolean | undefined {
  const value = object[key] ?? undefined;
  return value === undefined || typeof value === 'boolean' ? value : fail(key, 'true or false');
}

function objectAt(object: JsonObject, key: string): JsonObject | undefined {
  const value = object[key] ?? undefined;
  return value === undefined || isJsonObject(value) ? value : fail(key, 'an object');
}

function oneOf<T extends string>(object: JsonObject, key: string, values: readonly T[]): T | undefined {
  const value = object[key] ?? undefined;
  if (value === undefined) return undefined;
  return values.find((one) => one === value) ?? fail(key, `one of ${values.join(', ')}`);
}
