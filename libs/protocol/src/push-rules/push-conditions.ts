import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { compileGlob, compileWordGlob, hasWords } from '../glob.js';
import type { RoomEvent } from '../room-event.js';
import { THREAD_SUBSCRIPTION } from './push-rule.js';

/** What the conditions need beyond the event. */
export interface PushContext {
  /** Of the user whose rules these are, in this room. */
  readonly displayName: string | undefined;
  /** Joined members of the room. */
  readonly memberCount: number;
  /** Of the event's sender; Infinity for creators with unlimited power. */
  readonly senderPowerLevel: number;
  /** `notifications` of the room's power levels, as numbers. A level not in it is 50. */
  readonly notificationLevels: Readonly<Record<string, number>>;
  /** Whether the user is subscribed to the thread that the event is in; undefined: it is in none, or no rule asks (`asksFor`). */
  readonly isSubscribed?: boolean;
  /** Of the pusher that it is asked for; undefined: for none, as where unread events are counted. */
  readonly profileTag?: string | undefined;
}

/** A condition of a rule, prepared: whether it holds for an event. */
export type Condition = (event: RoomEvent, context: PushContext) => boolean;

const DEFAULT_NOTIFICATION_LEVEL = 50;
/** The longest pattern: each is looked for in every event of all rooms. */
export const MOST_PATTERN_BYTES = 512;
/** The longest display name that is looked for. In a room it may have as many as fit into an event. */
const MOST_NAME_BYTES = 256;

/** What events hold: looked up by each condition for itself, or once an event for all of them (`SharedConditions`). */
export interface EventFields {
  /** A property by its path: specification, appendices, "Dot-separated property paths". */
  find(path: string): (event: RoomEvent) => JsonValue | undefined;
  /** The same in small letters, where it is a text. */
  findText(path: string): (event: RoomEvent) => string | undefined;
}

const FIELDS: EventFields = { find: compilePath, findText: (path) => loweredBy(compilePath(path)) };

/** What an event holds, in small letters where it is a text. */
export function loweredBy(find: (event: RoomEvent) => JsonValue | undefined): (event: RoomEvent) => string | undefined {
  return (event) => {
    const text = find(event);
    return typeof text === 'string' ? text.toLowerCase() : undefined;
  };
}

/** Whether a pattern is more than the text that is looked for. */
export const isGlob = (pattern: string): boolean => /[*?]/.test(pattern);

const never: Condition = () => false;

/** Prepares a condition (client-server specification, "Push Rules", "Conditions"); one that makes no sense holds for nothing. */
export function compileCondition(condition: JsonObject, fields: EventFields = FIELDS): Condition {
  switch (condition['kind']) {
    case 'event_match':
      return eventMatch(condition, fields);
    case 'event_property_is':
      return eventProperty(condition, fields, (found, value) => found === value);
    case 'event_property_contains':
      return eventProperty(condition, fields, (found, value) => Array.isArray(found) && found.includes(value));
    case 'contains_display_name':
      return containsDisplayName(fields);
    case 'room_member_count':
      return roomMemberCount(condition);
    case 'sender_notification_permission':
      return senderNotificationPermission(condition);
    case THREAD_SUBSCRIPTION:
      return threadSubscription(condition);
    case 'profile_tag':
      return profileTag(condition);
    default:
      return never; // "Unrecognised conditions MUST NOT match any events"
  }
}

function eventMatch({ key, pattern }: JsonObject, { findText }: EventFields): Condition {
  if (typeof key !== 'string' || typeof pattern !== 'string') return never;
  const find = findText(key);
  const lowered = pattern.toLowerCase();
  // Nobody may set a longer one today; one of before that was bounded holds for nothing.
  if (Buffer.byteLength(pattern) > MOST_PATTERN_BYTES) return never;
  const isMatch = key === 'content.body' ? compileWordGlob(lowered) : compileGlob(lowered);
  return (event) => {
    const text = find(event);
    return text !== undefined && isMatch(text);
  };
}

/** For exact comparisons, which know only strings, integers, booleans and null. */
function eventProperty(
  condition: JsonObject,
  fields: EventFields,
  isMatch: (found: unknown, value: JsonValue) => boolean,
): Condition {
  const { key, value } = condition;
  if (typeof key !== 'string' || !isComparable(value)) return never;
  const find = fields.find(key);
  return (event) => isMatch(find(event), value);
}

function isComparable(value: JsonValue | undefined): value is string | number | boolean | null {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value);
}

function containsDisplayName({ findText }: EventFields): Condition {
  const find = findText('content.body');
  return (event, { displayName }) => {
    if (!isLookedFor(displayName)) return false;
    const body = find(event);
    return body !== undefined && hasWords(body, displayName.toLowerCase());
  };
}

/** Whether a display name is one that `contains_display_name` looks for. PERF: of one that may have 60 KB no bytes are counted. */
export function isLookedFor(displayName: string | undefined): displayName is string {
  if (displayName === undefined || displayName === '' || displayName.length > MOST_NAME_BYTES) return false;
  return Buffer.byteLength(displayName) <= MOST_NAME_BYTES;
}

function roomMemberCount({ is }: JsonObject): Condition {
  const isSo = compileCount(is);
  return (_, { memberCount }) => isSo(memberCount);
}

/** Prepares what `room_member_count` says of how many members a room has. */
export function compileCount(is: JsonValue | undefined): (memberCount: number) => boolean {
  const [, operator, digits] = (typeof is === 'string' && /^(==|<=|>=|<|>)?(\d+)$/.exec(is)) || [];
  if (digits === undefined) return () => false;
  const count = Number(digits);
  switch (operator) {
    case '<':
      return (memberCount) => memberCount < count;
    case '>':
      return (memberCount) => memberCount > count;
    case '<=':
      return (memberCount) => memberCount <= count;
    case '>=':
      return (memberCount) => memberCount >= count;
    default:
      return (memberCount) => memberCount === count;
  }
}

function senderNotificationPermission({ key }: JsonObject): Condition {
  if (typeof key !== 'string') return never;
  return (_, { senderPowerLevel, notificationLevels }) => {
    const level = Object.hasOwn(notificationLevels, key) ? notificationLevels[key] : undefined;
    return senderPowerLevel >= (level ?? DEFAULT_NOTIFICATION_LEVEL);
  };
}

/** MSC4306: "the event […] is part of a thread", and the user is subscribed to it or not. */
function threadSubscription({ subscribed }: JsonObject): Condition {
  if (typeof subscribed !== 'boolean') return never;
  return (_, { isSubscribed }) => isSubscribed === subscribed;
}

/** Of 2015: "Matches the profile_tag of the device that the notification would be delivered to". */
function profileTag({ profile_tag: tag }: JsonObject): Condition {
  return typeof tag === 'string' ? (_, context) => context.profileTag === tag : never;
}

/** See `EventFields.find`. */
export function compilePath(path: string): (event: RoomEvent) => JsonValue | undefined {
  // Not in every room version's PDU, but in the event that clients see.
  if (path === 'room_id') return (event) => event.roomId;
  if (path === 'event_id') return (event) => event.eventId;
  const names = splitPath(path);
  return (event) => {
    let found: JsonValue | undefined = event.pdu;
    for (const name of names) {
      if (!isJsonObject(found) || !Object.hasOwn(found, name)) return undefined;
      found = found[name];
    }
    return found;
  };
}

/** The names of a path. A backslash before a dot or a backslash makes it part of the name, any other is itself. */
function splitPath(path: string): string[] {
  const names = [''];
  for (const [part] of path.matchAll(/\\[\\.]|[^]/g)) {
    if (part === '.') names.push('');
    else names[names.length - 1] += part.at(-1)!;
  }
  return names;
}
