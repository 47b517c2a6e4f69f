import type { RoomEvent } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import type { AuthState } from './auth-state.js';
import { creatorOf, levelNeeded, powerLevelOf } from './power-levels.js';
import type { Refusal } from './refusal.js';
import { refuseThirdPartyInvite } from './third-party-invite.js';

interface MembershipChange {
  readonly event: RoomEvent;
  readonly sender: string;
  /** The target user. */
  readonly target: string;
  readonly version: RoomVersion;
  readonly state: AuthState;
  readonly createEvent: RoomEvent;
}

/**
 * Rule 5 (rule 4 in versions 6 to 11): why an m.room.member event is refused, undefined if it is not. The signature that
 * 5.2 asks for is verified with all others, see `checkAuthEvents`.
 */
export function refuseMembership(
  event: RoomEvent,
  version: RoomVersion,
  state: AuthState,
  createEvent: RoomEvent,
): Refusal {
  // 5.1
  if (event.stateKey === undefined) return 'A membership event needs a state key';
  const { membership } = event.content;
  if (typeof membership !== 'string') return 'A membership event needs a membership';
  const change = { event, sender: event.sender, target: event.stateKey, version, state, createEvent };
  switch (membership) {
    case 'join':
      return refuseJoin(change);
    case 'invite':
      return refuseInvite(change);
    case 'leave':
      return refuseLeave(change);
    case 'ban':
      return refuseBan(change);
    case 'knock':
      return version.knocking ? refuseKnock(change) : UNKNOWN_MEMBERSHIP;
    default:
      return UNKNOWN_MEMBERSHIP;
  }
}

const UNKNOWN_MEMBERSHIP = 'The membership is unknown';

/** The membership of a user in a state; `leave` for those it does not know. */
export function membershipOf(user: string, state: AuthState): string {
  const membership = state.get('m.room.member', user)?.content.membership;
  return typeof membership === 'string' ? membership : 'leave';
}

/** The join rule of a state; `invite` where there is none, and nothing that opens a room where it is no text. */
function joinRuleOf(state: AuthState): string {
  const { join_rule: rule = 'invite' } = state.get('m.room.join_rules', '')?.content ?? {};
  return typeof rule === 'string' ? rule : '';
}

/** 5.3 */
function refuseJoin({ event, sender, target, version, state, createEvent }: MembershipChange): Refusal {
  // 5.3.1: nobody but the creator is first.
  const isFirst = event.prevEvents.length === 1 && event.prevEvents[0] === createEvent.eventId;
  if (isFirst && target === creatorOf(createEvent, version)) return undefined;
  if (sender !== target) return 'Nobody can join for somebody else';
  const current = membershipOf(sender, state);
  if (current === 'ban') return 'You are banned from this room';
  const isExpected = current === 'join' || current === 'invite';
  const rule = joinRuleOf(state);
  if (rule === 'public' || (isExpected && opensToInvited(rule, version))) return undefined;
  if (!isRestricted(rule, version)) return 'You are not invited to this room';
  // 5.3.5.2
  const authoriser = event.content.join_authorised_via_users_server;
  if (typeof authoriser !== 'string') return 'You do not fulfil the conditions to join this room';
  if (membershipOf(authoriser, state) !== 'join') return 'The user who authorises the join is not in the room';
  if (powerLevelOf(authoriser, state, version) >= levelNeeded('invite', state, version)) return undefined;
  return 'The user who authorises the join may not invite';
}

function opensToInvited(rule: string, version: RoomVersion): boolean {
  return rule === 'invite' || (rule === 'knock' && version.knocking) || isRestricted(rule, version);
}

function isRestricted(rule: string, version: RoomVersion): boolean {
  return (
    (rule === 'restricted' && version.restrictedJoins) || (rule === 'knock_restricted' && version.knockRestrictedJoins)
  );
}

/** 5.4 */
function refuseInvite({ event, sender, target, version, state }: MembershipChange): Refusal {
  const current = membershipOf(target, state);
  if (event.content.third_party_invite !== undefined) {
    if (current === 'ban') return 'The user is banned from this room';
    return refuseThirdPartyInvite(event, target, state);
  }
  if (membershipOf(sender, state) !== 'join') return NOT_JOINED;
  if (current === 'join') return 'The user is already in the room';
  if (current === 'ban') return 'The user is banned from this room';
  if (powerLevelOf(sender, state, version) >= levelNeeded('invite', state, version)) return undefined;
  return 'You do not have the power level to invite';
}

/** 5.5 */
function refuseLeave({ sender, target, version, state }: MembershipChange): Refusal {
  const current = membershipOf(target, state);
  if (sender === target) {
    const isInside = current === 'join' || current === 'invite' || (current === 'knock' && version.knocking);
    return isInside ? undefined : 'You are not in this room';
  }
  if (membershipOf(sender, state) !== 'join') return NOT_JOINED;
  const level = powerLevelOf(sender, state, version);
  if (current === 'ban' && level < levelNeeded('ban', state, version)) {
    return 'You do not have the power level to unban';
  }
  if (level < levelNeeded('kick', state, version)) return 'You do not have the power level to kick';
  return powerLevelOf(target, state, version) < level ? undefined : NOT_ABOVE;
}

/** 5.6 */
function refuseBan({ sender, target, version, state }: MembershipChange): Refusal {
  if (membershipOf(sender, state) !== 'join') return NOT_JOINED;
  const level = powerLevelOf(sender, state, version);
  if (level < levelNeeded('ban', state, version)) return 'You do not have the power level to ban';
  return powerLevelOf(target, state, version) < level ? undefined : NOT_ABOVE;
}

/** 5.7 */
function refuseKnock({ sender, target, version, state }: MembershipChange): Refusal {
  const rule = joinRuleOf(state);
  if (rule !== 'knock' && !(rule === 'knock_restricted' && version.knockRestrictedJoins)) {
    return 'This room does not take knocks';
  }
  if (sender !== target) return 'Nobody can knock for somebody else';
  const current = membershipOf(sender, state);
  if (current === 'ban') return 'You are banned from this room';
  return current === 'invite' || current === 'join' ? 'You can join without knocking' : undefined;
}

export const NOT_JOINED = 'You are not in this room';
const NOT_ABOVE = 'The power level of the user is not below yours';
