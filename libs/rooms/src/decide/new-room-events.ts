import { isUserId, type RoomAlias, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';

export type Preset = 'private_chat' | 'trusted_private_chat' | 'public_chat';

/** A state event a new room begins with. */
export interface InitialState {
  readonly type: string;
  readonly state_key?: string | null;
  readonly content: JsonObject;
}

/** The request of POST /createRoom, checked for its types at the door. */
export interface CreateRoomOptions {
  readonly visibility?: 'public' | 'private';
  readonly room_alias_name?: string;
  readonly name?: string;
  readonly topic?: string;
  readonly invite?: readonly UserId[];
  /** Groups of the creator's presence list, of which all are invited. */
  readonly inviteGroups?: readonly string[];
  readonly room_version?: string;
  readonly creation_content?: JsonObject;
  readonly initial_state?: readonly InitialState[];
  readonly preset?: Preset;
  readonly is_direct?: boolean;
  readonly power_level_content_override?: JsonObject;
}

/** The power level of a creator in room versions where creators have no infinite power. */
const CREATOR_LEVEL = 100;
/**
 * "If the room's version is 12 or higher, the power level for sending m.room.tombstone events MUST explicitly be higher than
 * state_default. For example, set to 150 instead of 100": client-server API, `POST /createRoom`.
 */
const TOMBSTONE_LEVEL = 150;
const TOMBSTONE = 'm.room.tombstone';

/** The content of m.room.create: modules of the client-server API, "Creation". */
export function createContent(creator: UserId, options: CreateRoomOptions, version: RoomVersion): JsonObject {
  const { creation_content: wanted = {}, preset, invite = [] } = options;
  const { creator: _, additional_creators: listed, ...rest } = wanted;
  const content = { ...rest, room_version: version.id, ...(version.creatorInContent ? { creator } : {}) };
  if (!version.privilegedCreators) return listed === undefined ? content : { ...content, additional_creators: listed };
  const creators = new Set([...usersIn(listed), ...(preset === 'trusted_private_chat' ? invite : [])]);
  creators.delete(creator);
  return creators.size === 0 ? content : { ...content, additional_creators: [...creators] };
}

function usersIn(listed: JsonValue | undefined): readonly UserId[] {
  if (listed === undefined) return [];
  const isUser = (user: unknown): user is UserId => typeof user === 'string' && isUserId(user);
  if (Array.isArray(listed) && listed.every(isUser)) return listed;
  throw new MatrixError('M_INVALID_PARAM', 'additional_creators is not a list of user IDs');
}

/**
 * The state events after the creator's join, in the order of the specification: power levels, canonical alias, the preset's,
 * initial_state, name and topic. An event of the preset that initial_state overrides is left out.
 */
export function initialStateOf(
  creator: UserId,
  options: CreateRoomOptions,
  version: RoomVersion,
  alias: RoomAlias | undefined,
): InitialState[] {
  const { initial_state: wanted = [], name, topic } = options;
  const keys = new Set(wanted.map((event) => stateKeyOf(event.type, event.state_key ?? '')));
  const events: InitialState[] = [];
  if (!keys.has(stateKeyOf('m.room.power_levels', ''))) {
    events.push({ type: 'm.room.power_levels', content: powerLevels(creator, options, version) });
  }
  if (alias !== undefined) events.push({ type: 'm.room.canonical_alias', content: { alias } });
  events.push(...presetState(presetOf(options)).filter((event) => !keys.has(stateKeyOf(event.type, ''))));
  // In the order of the client: its power levels decide who may send what comes behind them.
  events.push(...wanted);
  if (name !== undefined) events.push({ type: 'm.room.name', content: { name } });
  if (topic !== undefined) events.push({ type: 'm.room.topic', content: topicContent(topic) });
  return events;
}

/** The preset asked for, or the one that goes with the visibility. */
function presetOf({ preset, visibility }: CreateRoomOptions): Preset {
  return preset ?? (visibility === 'public' ? 'public_chat' : 'private_chat');
}

function presetState(preset: Preset): InitialState[] {
  const open = preset === 'public_chat';
  return [
    { type: 'm.room.join_rules', content: { join_rule: open ? 'public' : 'invite' } },
    { type: 'm.room.history_visibility', content: { history_visibility: 'shared' } },
    { type: 'm.room.guest_access', content: { guest_access: open ? 'forbidden' : 'can_join' } },
  ];
}

function powerLevels(creator: UserId, options: CreateRoomOptions, version: RoomVersion): JsonObject {
  const privileged = version.privilegedCreators;
  const trusted = presetOf(options) === 'trusted_private_chat' ? (options.invite ?? []) : [];
  // Creators with infinite power must not be named (room version 12).
  const users = privileged ? [] : [creator, ...trusted];
  const { power_level_content_override: override = {} } = options;
  const levels: JsonObject = {
    users: Object.fromEntries(users.map((user) => [user, CREATOR_LEVEL])),
    users_default: 0,
    events: {
      'm.room.name': 50,
      'm.room.power_levels': 100,
      'm.room.history_visibility': 100,
      'm.room.canonical_alias': 50,
      'm.room.avatar': 50,
      'm.room.tombstone': 100,
      'm.room.server_acl': 100,
      'm.room.encryption': 100,
    },
    events_default: 0,
    state_default: 50,
    ban: 50,
    kick: 50,
    redact: 50,
    invite: 0,
    ...override,
  };
  const { events: named } = override;
  const isNamed = isJsonObject(named) && named[TOMBSTONE] !== undefined;
  return privileged && !isNamed ? withTombstoneLevel(levels) : levels;
}

/** Power levels in which only those well above the level for other state may end the room: they need at least as much as before. */
export function withTombstoneLevel(levels: JsonObject): JsonObject {
  const { events = {}, state_default: others } = levels;
  if (!isJsonObject(events)) return levels;
  const { [TOMBSTONE]: named } = events;
  const above = typeof others === 'number' ? others + 1 : 0;
  const least = Math.max(TOMBSTONE_LEVEL, above, typeof named === 'number' ? named : 0);
  return { ...levels, events: { ...events, [TOMBSTONE]: least } };
}

function topicContent(topic: string): JsonObject {
  return { topic, 'm.topic': { 'm.text': [{ body: topic, mimetype: 'text/plain' }] } };
}
