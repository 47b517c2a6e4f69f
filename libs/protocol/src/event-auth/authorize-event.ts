import { isUserId, serverNameOf } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { RoomEvent } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { FIRST_ROOM_VERSION } from '../room-versions/room-versions.js';
import { isDeletable, isStateDeletion } from '../state-deletion.js';
import type { AuthState } from './auth-state.js';
import { membershipOf, NOT_JOINED, refuseMembership } from './authorize-membership.js';
import { refusePowerLevels } from './authorize-power-levels.js';
import { levelNeeded, levelToSend, powerLevelOf } from './power-levels.js';
import type { Refusal } from './refusal.js';

/**
 * Checks an event against a state by the authorisation rules of its room version, all but those on its `auth_events`
 * (`checkAuthEvents`) and its signatures. Throws M_FORBIDDEN that says why. Room versions, "Authorisation rules".
 */
export function checkEventAuth(event: RoomEvent, version: RoomVersion, state: AuthState): void {
  const refusal = findAuthRefusal(event, version, state);
  if (refusal !== undefined) throw new MatrixError('M_FORBIDDEN', refusal);
}

/**
 * As `checkEventAuth`, but answers the reason instead of throwing it; undefined for an event that is allowed.
 *
 * Rules are numbered as in room version 12. From rule 5 on versions 1 to 5 have the same numbers, versions 6 to 11 have
 * each number less one.
 */
export function findAuthRefusal(event: RoomEvent, version: RoomVersion, state: AuthState): Refusal {
  // Of our own version alone: whatever else the type's rules would say of the content.
  if (!isDeletable(event.type) && isStateDeletion(event, version)) return `${event.type} cannot be deleted`;
  if (event.type === 'm.room.create') return refuseCreate(event, version);
  const { createEvent } = state;
  if (createEvent === undefined) return 'The room has no create event';
  // 2
  if (version.roomIdIsCreateHash && !isRoomOf(event, createEvent)) return 'The room ID is not that of the create event';
  // 4
  if (createEvent.content['m.federate'] === false && serverNameOf(event.sender) !== serverNameOf(createEvent.sender)) {
    return 'This room is not open to other servers';
  }
  // 4 in versions 1 to 5
  if (version.aliasesAuthRule && event.type === 'm.room.aliases') return refuseAliases(event);
  // 5
  if (event.type === 'm.room.member') return refuseMembership(event, version, state, createEvent);
  // 6
  if (membershipOf(event.sender, state) !== 'join') return NOT_JOINED;
  return refuseByLevel(event, version, state);
}

/** 1 */
function refuseCreate({ prevEvents, roomId, sender, content, pdu }: RoomEvent, version: RoomVersion): Refusal {
  if (prevEvents.length > 0) return 'A create event has no previous events';
  if (version.roomIdIsCreateHash) {
    if (pdu.room_id !== undefined) return 'A create event has no room ID in this room version';
  } else if (serverNameOf(roomId) !== serverNameOf(sender)) {
    return "The room ID is not of the sender's server";
  }
  // 1.3: the rules given are those of a recognised version, so the event may only name that one; "defaults to "1"" (m.room.create).
  const { room_version: named = FIRST_ROOM_VERSION } = content;
  if (named !== version.id) return 'The room version is another one';
  if (version.creatorInContent && content.creator === undefined) return 'A create event names the creator';
  if (version.privilegedCreators && !isListOfUsers(content.additional_creators)) {
    return '"additional_creators" is not a list of user IDs';
  }
  return undefined;
}

function isListOfUsers(list: unknown): boolean {
  return (
    list === undefined || (Array.isArray(list) && list.every((user) => typeof user === 'string' && isUserId(user)))
  );
}

function isRoomOf({ roomId }: RoomEvent, { eventId }: RoomEvent): boolean {
  return roomId.length === eventId.length && roomId.startsWith('!') && roomId.endsWith(eventId.slice(1));
}

function refuseAliases({ sender, stateKey }: RoomEvent): Refusal {
  if (stateKey === undefined) return 'An aliases event needs a state key';
  return stateKey === serverNameOf(sender) ? undefined : "The aliases are not of the sender's server";
}

/** 7 to 11 */
function refuseByLevel(event: RoomEvent, version: RoomVersion, state: AuthState): Refusal {
  const { type, stateKey, sender } = event;
  const level = powerLevelOf(sender, state, version);
  // 7
  if (type === 'm.room.third_party_invite') {
    return level >= levelNeeded('invite', state, version) ? undefined : 'You do not have the power level to invite';
  }
  // 8
  const needed = levelToSend(type, stateKey !== undefined, state, version);
  if (needed > level) return `You need power level ${needed} to send ${type}, yours is ${level}`;
  // 9
  if (stateKey?.startsWith('@') === true && stateKey !== sender) return 'The state key is another user';
  // 10
  if (type === 'm.room.power_levels') return refusePowerLevels(event, version, state);
  // 11 in versions 1 and 2
  if (version.redactionAuthRule && type === 'm.room.redaction') return refuseRedaction(event, level, version, state);
  return undefined;
}

function refuseRedaction(
  { eventId, redacts }: RoomEvent,
  level: number,
  version: RoomVersion,
  state: AuthState,
): Refusal {
  if (level >= levelNeeded('redact', state, version)) return undefined;
  if (redacts !== undefined && serverNameOf(redacts) === serverNameOf(eventId)) return undefined;
  return 'You do not have the power level to redact events of other servers';
}
