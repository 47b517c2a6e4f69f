import { type EventId, isUserId, type RoomId, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { keepCanonical } from '#protocol/canonical-json/keep-canonical';
import { checkStateContent, type StateContent } from '#protocol/event-auth/check-state-content';
import { parseLevel } from '#protocol/event-auth/power-levels';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { RETENTION_TYPES } from '../facts/retention-facts.js';
import { type CreateRoomOptions, withTombstoneLevel } from './new-room-events.js';

/** The old room as an upgrade sees it. */
export interface OldRoom {
  readonly roomId: RoomId;
  readonly createEvent: RoomEvent;
  readonly version: RoomVersion;
  /** The state that moves over, by type; state keys other than '' only for bans and a space's rooms. */
  readonly state: readonly StateContent[];
}

const POWER_LEVELS = 'm.room.power_levels';
/** The highest level that there can be: "Canonical JSON". */
const MAX_LEVEL = Number.MAX_SAFE_INTEGER;

/**
 * Client-server API, "Room Upgrades", server behaviour, step 3: what a new room takes over from the old one. NOTSPEC: also for how long messages
 * are kept, which the specification does not name: what its members were promised would end with the old room.
 */
export const TRANSFERABLE: readonly string[] = [
  ...RETENTION_TYPES,
  'm.room.server_acl',
  'm.room.encryption',
  'm.room.name',
  'm.room.avatar',
  'm.room.topic',
  'm.room.guest_access',
  'm.room.history_visibility',
  'm.room.join_rules',
  'm.room.power_levels',
];

/**
 * How the new room is to be created: with what its version can hold of the old one. `tombstone` is undefined where the new
 * room's id must be known first.
 */
export function newRoomOptions(
  old: OldRoom,
  version: RoomVersion,
  upgrader: UserId,
  additionalCreators: readonly UserId[],
  tombstone: EventId | undefined,
): CreateRoomOptions {
  const {
    creator: _,
    room_version: __,
    predecessor: ___,
    additional_creators: ____,
    ...kept
  } = old.createEvent.content;
  const predecessor = { room_id: old.roomId, ...(tombstone === undefined ? {} : { event_id: tombstone }) };
  const creators =
    version.privilegedCreators && additionalCreators.length > 0 ? { additional_creators: additionalCreators } : {};
  const named = new Set<string>(version.privilegedCreators ? [upgrader, ...additionalCreators] : []);
  // The power levels come last: until then the upgrader has a creator's power, and so needs none that the old room denied.
  const levels = old.state.filter(({ type }) => type === POWER_LEVELS);
  const others = old.state.filter(({ type }) => type !== POWER_LEVELS);
  const moved = [
    ...others.map(({ type, stateKey, content }) => ({ type, stateKey, content: contentFor(version, content) })),
    ...levels.map(({ type, content }) => ({
      type,
      stateKey: '',
      content: transferredLevels(content, old, version, named),
    })),
  ].filter((event) => isReadable(event, old, version));
  return {
    room_version: version.id,
    creation_content: { ...creationFor(old, version, kept), ...creators, predecessor },
    initial_state: moved.map(({ type, stateKey, content }) => ({ type, state_key: stateKey, content })),
  };
}

/** What the new version can hold of a content: floats and large integers have no place from version 6 on. */
function contentFor(version: RoomVersion, content: JsonObject): JsonObject {
  return version.strictCanonicalJson ? keepCanonical(content) : content;
}

/** Old rooms may say what none says any more that begins here: that stays behind, rather than keep the rest from moving. */
function isReadable(event: StateContent, { roomId }: OldRoom, version: RoomVersion): boolean {
  try {
    checkStateContent(event, { roomId, version, createEvent: undefined });
    return true;
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error;
    return false;
  }
}

function creationFor(old: OldRoom, version: RoomVersion, content: JsonObject): JsonObject {
  const kept = Object.entries(contentFor(version, content)).filter(([key, value]) =>
    isReadable({ type: 'm.room.create', stateKey: '', content: { [key]: value } }, old, version),
  );
  return Object.fromEntries(kept);
}

/** The power levels as the new room's version takes them. `creators` are those of the new room who may not be named. */
function transferredLevels(
  content: JsonObject,
  old: OldRoom,
  version: RoomVersion,
  creators: ReadonlySet<string>,
): JsonObject {
  // "must never populate the default power levels in a room as string values": server-server API, "Definitions".
  const read = integerLevels(content, old.version);
  const levels = version.privilegedCreators ? withTombstoneAbove(read, old.version) : read;
  const users = isJsonObject(levels['users']) ? levels['users'] : {};
  // Old rooms may name users who are none.
  const kept = Object.entries(users).filter(([user]) => isUserId(user) && !creators.has(user));
  const once = version.privilegedCreators ? [] : privilegedCreatorsOf(old);
  return { ...levels, users: once.length === 0 ? Object.fromEntries(kept) : usersBelow(once, kept, levels) };
}

/**
 * Those of level 100 must not become creators by upgrading once more: "the initial power levels event in the room MUST have the
 * level required to send m.room.tombstone be higher than the level required to send state events", MSC4289. A level that an old
 * room without such creators names was meant for its admins and is raised; where there were creators, it is their choice.
 */
function withTombstoneAbove(levels: JsonObject, old: RoomVersion): JsonObject {
  return old.privilegedCreators && namesTombstone(levels) ? levels : withTombstoneLevel(levels);
}

function namesTombstone({ events }: JsonObject): boolean {
  return isJsonObject(events) && events['m.room.tombstone'] !== undefined;
}

/**
 * The users' levels where `creators` have no power of their own any more: they are named, above everybody else and every
 * level that is needed for something. Who has the highest level that there can be steps below.
 */
function usersBelow(
  creators: readonly string[],
  users: readonly (readonly [string, JsonValue | undefined])[],
  levels: JsonObject,
): JsonObject {
  const others = users.filter(([user]) => !creators.includes(user));
  const below = others.map(([user, level]) => [user, level === MAX_LEVEL ? MAX_LEVEL - 1 : level] as const);
  const held = [...below.map(([, level]) => Number(level)), Number(levels['users_default'] ?? 0)];
  const highest = Math.max(100, neededLevel(levels), ...held.map((level) => level + 1));
  return Object.fromEntries([...below, ...creators.map((user) => [user, Math.min(highest, MAX_LEVEL)])]) as JsonObject;
}

/** The levels as the old version understands them, in numbers that there can be: what it makes no level of is left out. */
function integerLevels(content: JsonObject, old: RoomVersion): JsonObject {
  const entries = Object.entries(content).map(([key, value]) => {
    if (isJsonObject(value)) return [key, integerLevels(value, old)];
    const level = parseLevel(value, old);
    return [key, level && Math.max(-MAX_LEVEL, Math.min(level, MAX_LEVEL))];
  });
  return Object.fromEntries(entries.filter(([, level]) => level !== undefined)) as JsonObject;
}

function privilegedCreatorsOf({ createEvent, version }: OldRoom): string[] {
  if (!version.privilegedCreators) return [];
  const { additional_creators: others } = createEvent.content;
  return [createEvent.sender, ...(Array.isArray(others) ? (others as string[]) : [])];
}

/** The highest level that is needed for anything. */
function neededLevel(content: JsonObject): number {
  const { events } = content;
  const named = isJsonObject(events) ? Object.values(events) : [];
  return Math.max(...[0, ...named, ...Object.values(content)].filter((level) => typeof level === 'number'));
}

/** The power levels that keep ordinary users from talking in the old room; undefined where they are so already (step 6). */
export function restrictedLevels(levels: JsonObject): JsonObject | undefined {
  const usersDefault = Number(levels['users_default'] ?? 0);
  const restricted = Math.max(50, usersDefault + 1);
  const events = Number(levels['events_default'] ?? 0);
  const invite = Number(levels['invite'] ?? 0);
  if (events >= restricted && invite >= restricted) return undefined;
  return { ...levels, events_default: Math.max(events, restricted), invite: Math.max(invite, restricted) };
}
