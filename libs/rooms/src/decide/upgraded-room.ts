import type { EventId, RoomId, UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { CreateRoomOptions, InitialState } from './new-room-events.js';

/** The old room as an upgrade sees it. */
export interface OldRoom {
  readonly roomId: RoomId;
  readonly createEvent: RoomEvent;
  /** The state that moves over, by type; state keys other than '' only for bans. */
  readonly state: readonly RoomEvent[];
}

/** Client-server API, "Room Upgrades", server behaviour, step 3: what a new room takes over from the old one. */
export const TRANSFERABLE: readonly string[] = [
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

/** How the new room is to be created. `tombstone` is undefined where the new room's id must be known first. */
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
  const privileged = new Set<string>(version.privilegedCreators ? [upgrader, ...additionalCreators] : []);
  return {
    room_version: version.id,
    creation_content: { ...kept, ...creators, predecessor },
    initial_state: old.state.map((event) => transferred(event, privileged, upgrader, version)),
  };
}

function transferred(
  event: RoomEvent,
  privileged: ReadonlySet<string>,
  upgrader: UserId,
  version: RoomVersion,
): InitialState {
  const { type, content } = event;
  if (type !== 'm.room.power_levels') return { type, state_key: event.stateKey, content };
  const users = isJsonObject(content['users']) ? content['users'] : {};
  // The upgrader needs the power to set the state up; creators of the newest versions have it and may not be named.
  const kept = Object.entries(users).filter(([user]) => !privileged.has(user));
  const named = version.privilegedCreators
    ? kept
    : [...kept.filter(([user]) => user !== upgrader), [upgrader, Math.max(100, Number(users[upgrader] ?? 0))]];
  return { type, content: { ...content, users: Object.fromEntries(named) as JsonObject } };
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
