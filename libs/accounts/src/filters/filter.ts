import { hash } from 'node:crypto';
import { foldUserId, type ServerName, type UserId } from '#kernel/ids';
import { type JsonObject, isJsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';

/** Which events to show (client-server API, "Filtering"). `*` in a type stands for any characters. */
export interface EventFilter {
  readonly limit?: number;
  readonly types?: readonly string[];
  readonly not_types?: readonly string[];
  readonly senders?: readonly string[];
  readonly not_senders?: readonly string[];
}

/** Which events of rooms to show. */
export interface RoomEventFilter extends EventFilter {
  readonly rooms?: readonly string[];
  readonly not_rooms?: readonly string[];
  readonly contains_url?: boolean;
  readonly lazy_load_members?: boolean;
  readonly include_redundant_members?: boolean;
  readonly unread_thread_notifications?: boolean;
}

export interface RoomFilter {
  readonly rooms?: readonly string[];
  readonly not_rooms?: readonly string[];
  readonly include_leave?: boolean;
  readonly state?: RoomEventFilter;
  readonly timeline?: RoomEventFilter;
  readonly ephemeral?: RoomEventFilter;
  readonly account_data?: RoomEventFilter;
}

/** A filter as /sync takes it, inline or by id: every key that is there is of its type. Unknown keys are let be. */
export interface Filter {
  readonly event_fields?: readonly string[];
  readonly event_format?: 'client' | 'federation';
  readonly presence?: EventFilter;
  readonly account_data?: EventFilter;
  readonly room?: RoomFilter;
}

/** The most entries of a list: each is looked at for each event. */
const MAX_ENTRIES = 1000;

type Check = (value: unknown, path: string) => void;

function fail(path: string, what: string): never {
  throw new MatrixError('M_BAD_JSON', `${path}: must be ${what}`);
}

const boolean: Check = (value, path) => {
  if (typeof value !== 'boolean') fail(path, 'true or false');
};

const limit: Check = (value, path) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) fail(path, 'a positive integer');
};

function listOf(what: string, is: (text: string) => boolean): Check {
  return (value, path) => {
    if (!Array.isArray(value) || value.length > MAX_ENTRIES) fail(path, `a list of at most ${MAX_ENTRIES} ${what}`);
    for (const entry of value) if (typeof entry !== 'string' || !is(entry)) fail(path, `a list of ${what}`);
  };
}

const texts = listOf('texts', () => true);
const users = listOf('user IDs', (text) => text.startsWith('@') && text.includes(':'));
const rooms = listOf('room IDs', (text) => text.startsWith('!'));

const format: Check = (value, path) => {
  if (value !== 'client' && value !== 'federation') fail(path, "'client' or 'federation'");
};

function objectOf(keys: Readonly<Record<string, Check>>): Check {
  return (value, path) => {
    if (!isJsonObject(value)) fail(path, 'an object');
    for (const [key, check] of Object.entries(keys)) {
      const inner = value[key];
      if (inner !== undefined && inner !== null) check(inner, path === '' ? key : `${path}.${key}`);
    }
  };
}

const EVENT_FILTER = { limit, types: texts, not_types: texts, senders: users, not_senders: users };
const ROOM_EVENT_FILTER = objectOf({
  ...EVENT_FILTER,
  rooms,
  not_rooms: rooms,
  contains_url: boolean,
  lazy_load_members: boolean,
  include_redundant_members: boolean,
  unread_thread_notifications: boolean,
});
const FILTER = objectOf({
  event_fields: texts,
  event_format: format,
  presence: objectOf(EVENT_FILTER),
  account_data: objectOf(EVENT_FILTER),
  room: objectOf({
    rooms,
    not_rooms: rooms,
    include_leave: boolean,
    state: ROOM_EVENT_FILTER,
    timeline: ROOM_EVENT_FILTER,
    ephemeral: ROOM_EVENT_FILTER,
    account_data: ROOM_EVENT_FILTER,
  }),
});

/**
 * Checks a filter's form. Throws M_BAD_JSON, naming the key. A key with the value null counts as absent; senders of this
 * server (`ours`) are named in any case.
 */
export function parseFilter(value: unknown, ours: ServerName): Filter {
  FILTER(value, '');
  return settle(value as JsonObject, ours) as Filter; // Checked key by key.
}

const SENDERS: ReadonlySet<string> = new Set(['senders', 'not_senders']);

function settle(object: JsonObject, ours: ServerName): JsonObject {
  const entries = Object.entries(object).filter(([, value]) => value !== null);
  return Object.fromEntries(
    entries.map(([key, value]) => {
      if (isJsonObject(value)) return [key, settle(value, ours)];
      if (!SENDERS.has(key) || !Array.isArray(value)) return [key, value];
      return [key, value.map((one: JsonValue) => (typeof one === 'string' ? foldUserId(one as UserId, ours) : one))];
    }),
  );
}

/** The id of a filter: 96 bits of the sha256 of its text. It never begins with `{`, which marks a filter given inline. */
export function filterIdOf(filter: JsonObject): string {
  return hash('sha256', JSON.stringify(filter), 'base64url').slice(0, 16);
}
