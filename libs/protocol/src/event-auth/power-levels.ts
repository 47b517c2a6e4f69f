import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '#kernel/json';
import type { RoomEvent } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import type { AuthState } from './auth-state.js';

/** The levels that m.room.power_levels names, with what they are when it does not say or does not exist. */
const DEFAULT_LEVELS = Object.freeze({
  ban: 50,
  kick: 50,
  redact: 50,
  invite: 0,
  users_default: 0,
  events_default: 0,
  state_default: 50,
});

export type LevelName = keyof typeof DEFAULT_LEVELS;

export const LEVEL_NAMES = Object.freeze(Object.keys(DEFAULT_LEVELS)) as readonly LevelName[];

/** The keys of m.room.power_levels that hold levels by name. */
export const LEVEL_MAPS = Object.freeze(['events', 'notifications', 'users'] as const);

/** What the creator of a room has before there is an m.room.power_levels event. */
const CREATOR_LEVEL = 100;

/** An integer in text, as versions 1 to 9 tolerate it: leading zeros, one sign, white space around. */
const INTEGER_TEXT = /^\s*[+-]?\d+\s*$/;

/**
 * A power level as a room version understands it, undefined for what is none. From version 10 on integers only; before,
 * floats are truncated and integers may be strings (room version 1, "Deprecated event content schemas").
 */
export function parseLevel(value: JsonValue | undefined, version: RoomVersion): number | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  if (version.integerPowerLevels) return undefined;
  let level: number;
  if (typeof value === 'number') level = Math.trunc(value);
  else if (value instanceof JsonNumber) level = Math.trunc(value.valueOf());
  else if (typeof value === 'string' && INTEGER_TEXT.test(value)) level = Number(value);
  else return undefined;
  return Number.isFinite(level) ? level : undefined;
}

/** The power level of a user in a state; Infinity for the creators of a room from version 12 on. */
export function powerLevelOf(user: string, state: AuthState, version: RoomVersion): number {
  const { createEvent } = state;
  if (version.privilegedCreators && createEvent !== undefined && isPrivilegedCreator(user, createEvent))
    return Infinity;
  const levels = state.get('m.room.power_levels', '')?.content;
  if (levels === undefined) {
    return createEvent !== undefined && user === creatorOf(createEvent, version) ? CREATOR_LEVEL : 0;
  }
  return levelIn(levels.users, user, version) ?? namedLevel(levels, 'users_default', version);
}

/** The invite, kick, ban or redact level and the defaults: server-server API, "Definitions". */
export function levelNeeded(name: LevelName, state: AuthState, version: RoomVersion): number {
  return namedLevel(state.get('m.room.power_levels', '')?.content, name, version);
}

/** The required power level of an event type: server-server API, "Definitions". */
export function levelToSend(type: string, isState: boolean, state: AuthState, version: RoomVersion): number {
  const levels = state.get('m.room.power_levels', '')?.content;
  return (
    levelIn(levels?.events, type, version) ?? namedLevel(levels, isState ? 'state_default' : 'events_default', version)
  );
}

/** The levels that grant notifications such as `room`, as far as the power levels say them. */
export function levelsToNotify(state: AuthState, version: RoomVersion): Record<string, number> {
  const { notifications } = state.get('m.room.power_levels', '')?.content ?? {};
  if (!isJsonObject(notifications)) return {};
  const levels = Object.entries(notifications).map(([key, level]) => [key, parseLevel(level, version)] as const);
  return Object.fromEntries(levels.filter((entry): entry is [string, number] => entry[1] !== undefined));
}

/** The user who may join first and has level 100 at first: content.creator, the sender from version 11 on. */
export function creatorOf(createEvent: RoomEvent, version: RoomVersion): string | undefined {
  if (!version.creatorInContent) return createEvent.sender;
  const { creator } = createEvent.content;
  return typeof creator === 'string' ? creator : undefined;
}

/** Whether a user is among the creators of a room of version 12 or later: the sender and `additional_creators`. */
export function isPrivilegedCreator(user: string, createEvent: RoomEvent): boolean {
  if (createEvent.sender === user) return true;
  const others = createEvent.content.additional_creators;
  return Array.isArray(others) && others.includes(user);
}

function namedLevel(levels: JsonObject | undefined, name: LevelName, version: RoomVersion): number {
  return parseLevel(levels?.[name], version) ?? DEFAULT_LEVELS[name];
}

function levelIn(map: JsonValue | undefined, key: string, version: RoomVersion): number | undefined {
  return isJsonObject(map) ? parseLevel(map[key], version) : undefined;
}
