import { isRoomId, type RoomId } from '#kernel/ids';
import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { ExtensionScope, ListFilter, RoomConfig, SlidingList, WantedExtensions } from '../sliding-request.js';

/*
 * What the two shapes of requests have in common. Whatever is not of the expected form is refused, naming where it stands; null counts
 * as absent, for clients write what they do not have that way; what nobody asks for is let be.
 */

/** MSC4186: "Max lists: 100", and as many subscriptions. */
const MOST = 100;
/** The most events of a room in one answer, whatever was asked for. */
const MAX_TIMELINE = 1_000;
const MOST_NAMES = 1_000;
const MAX_NAME = 255;

/** The name of the extension that tells of them, in requests and answers, while its proposal (MSC4308) is not accepted. */
export const THREADS_EXTENSION = 'io.element.msc4308.thread_subscriptions';

/** As that, of sticky events: MSC4480, under the number of the proposal that it was first part of. */
export const STICKY_EXTENSION = 'org.matrix.msc4354.sticky_events';

/** Throws M_INVALID_PARAM. */
export function refuse(path: string, reason: string): never {
  throw new MatrixError('M_INVALID_PARAM', `${path}: ${reason}`);
}

export function findText(body: JsonObject, key: string, path = key, most = MAX_NAME): string | undefined {
  const value = body[key] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.length > most) refuse(path, 'not a text of the expected length');
  return value;
}

export function findBoolean(body: JsonObject, key: string, path: string): boolean | undefined {
  const value = body[key] ?? undefined;
  return value === undefined || typeof value === 'boolean' ? value : refuse(path, 'neither true nor false');
}

/** A natural number. */
export function findNumber(body: JsonObject, key: string, path: string): number | undefined {
  const value = body[key] ?? undefined;
  return value === undefined ? undefined : readNumber(value, path);
}

function readNumber(value: JsonValue | undefined, path: string): number {
  const number = value instanceof JsonNumber ? Number(value.text) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0
    ? number
    : refuse(path, 'not an integer in range');
}

export function findObject(body: JsonObject, key: string, path: string): JsonObject | undefined {
  const value = body[key] ?? undefined;
  return value === undefined || isJsonObject(value) ? value : refuse(path, 'not an object');
}

export function findList(body: JsonObject, key: string, path: string): readonly JsonValue[] | undefined {
  const value = body[key] ?? undefined;
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length > MOST_NAMES) refuse(path, 'not a list of the expected length');
  return value as readonly JsonValue[];
}

function findTexts(body: JsonObject, key: string, path: string): readonly string[] | undefined {
  const list = findList(body, key, path);
  if (list?.every((one) => typeof one === 'string') === false) refuse(path, 'not a list of texts');
  return list as readonly string[] | undefined;
}

/** The lists of a request; `readList` reads what differs between the shapes. */
export function readLists(
  body: JsonObject,
  readList: (list: JsonObject, path: string) => SlidingList,
): ReadonlyMap<string, SlidingList> {
  const lists = Object.entries(findObject(body, 'lists', 'lists') ?? {});
  if (lists.length > MOST) refuse('lists', 'too many');
  return new Map(
    lists.map(([name, list]) => {
      const path = `lists.${name.slice(0, MAX_NAME)}`;
      if (name.length > MAX_NAME) refuse(path, 'its name is too long');
      return [name, readList(isJsonObject(list) ? list : refuse(path, 'not an object'), path)];
    }),
  );
}

/** The subscriptions of a request. Those to what is no room id are to rooms that are not there. */
export function readSubscriptions(
  body: JsonObject,
  readConfig: (config: JsonObject, path: string) => RoomConfig,
): ReadonlyMap<RoomId, RoomConfig> {
  const rooms = Object.entries(findObject(body, 'room_subscriptions', 'room_subscriptions') ?? {});
  if (rooms.length > MOST) refuse('room_subscriptions', 'too many');
  return new Map(
    rooms.flatMap(([roomId, config]): [RoomId, RoomConfig][] => {
      const path = `room_subscriptions.${roomId.slice(0, MAX_NAME)}`;
      const read = readConfig(isJsonObject(config) ? config : refuse(path, 'not an object'), path);
      return isRoomId(roomId) ? [[roomId, read]] : [];
    }),
  );
}

export function readTimelineLimit(config: JsonObject, path: string): number {
  const limit = findNumber(config, 'timeline_limit', `${path}.timeline_limit`);
  return Math.min(limit ?? refuse(`${path}.timeline_limit`, 'required'), MAX_TIMELINE);
}

/** A range of a list. */
export function readRange(value: JsonValue, path: string): readonly [number, number] {
  const [first, last, more] = Array.isArray(value) ? (value as readonly JsonValue[]) : [];
  const range = [readNumber(first, path), readNumber(last, path)] as const;
  if (more !== undefined || range[0] > range[1]) refuse(path, 'not a range');
  return range;
}

/** The filter of a list; `inviteKey`: what the flag for invitations is called. */
export function readFilter(list: JsonObject, path: string, inviteKey: string): ListFilter {
  const filter = findObject(list, 'filters', `${path}.filters`) ?? {};
  const at = (key: string): string => `${path}.filters.${key}`;
  const flag = (key: string): boolean | undefined => findBoolean(filter, key, at(key));
  const texts = (key: string): readonly string[] | undefined => findTexts(filter, key, at(key));
  return {
    isDm: flag('is_dm'),
    isEncrypted: flag('is_encrypted'),
    isInvite: flag(inviteKey),
    spaces: texts('spaces'),
    tags: texts('tags'),
    notTags: texts('not_tags'),
    roomTypes: readRoomTypes(filter, 'room_types', at('room_types')),
    notRoomTypes: readRoomTypes(filter, 'not_room_types', at('not_room_types')),
  };
}

function readRoomTypes(filter: JsonObject, key: string, path: string): readonly (string | null)[] | undefined {
  const types = findList(filter, key, path);
  if (types?.every((type) => type === null || typeof type === 'string') === false)
    refuse(path, 'not a list of room types');
  return types as readonly (string | null)[] | undefined;
}

/** What is wanted besides rooms. */
export function readExtensions(body: JsonObject): WantedExtensions {
  const extensions = findObject(body, 'extensions', 'extensions') ?? {};
  const enabled = (name: string): JsonObject | undefined => {
    const path = `extensions.${name}`;
    const extension = findObject(extensions, name, path);
    return extension !== undefined && findBoolean(extension, 'enabled', `${path}.enabled`) === true
      ? extension
      : undefined;
  };
  const scope = (name: string): ExtensionScope | undefined => {
    const extension = enabled(name);
    return extension && readScope(extension, `extensions.${name}`);
  };
  const toDevice = enabled('to_device');
  const threads = enabled(THREADS_EXTENSION);
  const sticky = enabled(STICKY_EXTENSION);
  return {
    toDevice: toDevice && {
      since: findText(toDevice, 'since', 'extensions.to_device.since') || undefined,
      limit: readLimit(toDevice, 'extensions.to_device.limit'),
    },
    e2ee: enabled('e2ee') !== undefined,
    accountData: scope('account_data'),
    receipts: scope('receipts'),
    typing: scope('typing'),
    threadSubscriptions: threads && { limit: readLimit(threads, `extensions.${THREADS_EXTENSION}.limit`) },
    stickyEvents: sticky && {
      since: findText(sticky, 'since', `extensions.${STICKY_EXTENSION}.since`) || undefined,
      limit: readLimit(sticky, `extensions.${STICKY_EXTENSION}.limit`),
    },
  };
}

/** How much an extension may tell at once. */
function readLimit(extension: JsonObject, path: string): number {
  return Math.min(Math.max(1, findNumber(extension, 'limit', path) ?? MOST), MOST);
}

function readScope(extension: JsonObject, path: string): ExtensionScope {
  const named = (key: string): ReadonlySet<string> | undefined => {
    const names = findTexts(extension, key, `${path}.${key}`);
    return names && new Set(names);
  };
  return { lists: named('lists'), rooms: named('rooms') };
}
