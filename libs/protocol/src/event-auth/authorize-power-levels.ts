import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import type { RoomEvent } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import type { AuthState } from './auth-state.js';
import { isPrivilegedCreator, LEVEL_NAMES, parseLevel, powerLevelOf } from './power-levels.js';
import type { Refusal } from './refusal.js';

/** Rule 10 (rule 9 in versions 6 to 11): why an m.room.power_levels event is refused, undefined if it is not. */
export function refusePowerLevels(event: RoomEvent, version: RoomVersion, state: AuthState): Refusal {
  const malformed = refuseLevelsShape(event.content, version, state.createEvent);
  if (malformed !== undefined) return malformed;
  // 10.5: the first one may say anything.
  const current = state.get('m.room.power_levels', '')?.content;
  if (current === undefined) return undefined;
  const change: Change = { sender: event.sender, level: powerLevelOf(event.sender, state, version), version };
  return refuseChanges(current, event.content, change);
}

/**
 * Rules 10.1 to 10.4: why the content of an m.room.power_levels event cannot be read, undefined if it can. Before version 10
 * levels that cannot be read at all are refused too, whatever they are for.
 */
export function refuseLevelsShape(
  content: JsonObject,
  version: RoomVersion,
  createEvent: RoomEvent | undefined,
): Refusal {
  for (const name of LEVEL_NAMES) {
    if (isMalformed(content[name], version)) return `The power level "${name}" is not an integer`;
  }
  for (const name of mapsOf(version)) {
    const map = content[name];
    if (map === undefined) continue;
    if (!isJsonObject(map)) return `"${name}" in the power levels is not an object`;
    for (const key of Object.keys(map)) {
      if (isMalformed(map[key], version)) return `The power level of "${key}" in "${name}" is not an integer`;
    }
  }
  const { users } = content;
  if (users === undefined) return undefined;
  if (!isJsonObject(users)) return '"users" in the power levels is not an object';
  for (const user of Object.keys(users)) {
    if (users[user] === undefined) continue;
    if (!USER_ID.test(user)) return `"${user}" in the power levels is not a user ID`;
    if (parseLevel(users[user], version) === undefined) return `The power level of ${user} is not an integer`;
    if (version.privilegedCreators && createEvent !== undefined && isPrivilegedCreator(user, createEvent)) {
      return `${user} is a creator of the room and cannot be in the power levels`;
    }
  }
  return undefined;
}

/**
 * NOTSPEC: a sigil and a colon are enough, as for most servers in use. Rooms have users of servers that nobody could name so; who refused
 * the levels that say so would refuse, from then on, whatever rests on them.
 */
const USER_ID = /^@[^:]*:/;

/** Before version 10 an explicit null counts as absent, as it always has in practice. */
function isMalformed(value: JsonValue | undefined, version: RoomVersion): boolean {
  if (value === undefined || (value === null && !version.integerPowerLevels)) return false;
  return parseLevel(value, version) === undefined;
}

function mapsOf(version: RoomVersion): readonly ('events' | 'notifications')[] {
  return version.limitNotificationsPowerLevels ? ['events', 'notifications'] : ['events'];
}

interface Change {
  readonly sender: string;
  /** The sender's current power level. */
  readonly level: number;
  readonly version: RoomVersion;
}

/** 10.6 to 10.10: nobody changes what is above them, gives what they do not have, or demotes their equals. */
function refuseChanges(current: JsonObject, next: JsonObject, change: Change): Refusal {
  for (const name of LEVEL_NAMES) {
    const refusal = refuseChange(`"${name}"`, current[name], next[name], change);
    if (refusal !== undefined) return refusal;
  }
  for (const name of mapsOf(change.version)) {
    const refusal = refuseMapChanges(name, current[name], next[name], change);
    if (refusal !== undefined) return refusal;
  }
  return refuseMapChanges('users', current.users, next.users, change);
}

function refuseMapChanges(
  name: 'events' | 'notifications' | 'users',
  current: JsonValue | undefined,
  next: JsonValue | undefined,
  change: Change,
): Refusal {
  const before = isJsonObject(current) ? current : {};
  const after = isJsonObject(next) ? next : {};
  for (const key of Object.keys(before)) {
    const refusal = refuseChange(`"${key}" in "${name}"`, before[key], after[key], change);
    if (refusal !== undefined) return refusal;
    // 10.9: entries of others at the sender's own level are out of reach too.
    if (name === 'users' && key !== change.sender && isEqualDemoted(before[key], after[key], change)) {
      return `The power level of ${key} is not below the sender's`;
    }
  }
  for (const key of Object.keys(after)) {
    if (Object.hasOwn(before, key)) continue;
    const refusal = refuseChange(`"${key}" in "${name}"`, undefined, after[key], change);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function refuseChange(
  what: string,
  current: JsonValue | undefined,
  next: JsonValue | undefined,
  { level, version }: Change,
): Refusal {
  const before = parseLevel(current, version);
  const after = parseLevel(next, version);
  if (before === after) return undefined;
  if (before !== undefined && before > level) return `The power level of ${what} is above the sender's`;
  if (after !== undefined && after > level) return `The new power level of ${what} is above the sender's`;
  return undefined;
}

function isEqualDemoted(current: JsonValue | undefined, next: JsonValue | undefined, change: Change): boolean {
  const before = parseLevel(current, change.version);
  return before !== undefined && before >= change.level && before !== parseLevel(next, change.version);
}
