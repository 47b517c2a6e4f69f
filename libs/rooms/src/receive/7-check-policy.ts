import type { EventId } from '#kernel/ids';
import type { Refusal } from '#protocol/event-auth/refusal';
import type { RoomEvent } from '#protocol/room-event';
import { isBeyondPolicy, policyEventIdOf, type PolicyVerdict } from '../room-policy.js';
import type { StateBefore } from './5-check-state-before.js';
import type { KnownRoom } from './known-room.js';

/** Whether the policy has to be asked for an event, or again, for the room has another one by now. `policyId`: of the room as it stands. */
export function isToBeAsked(
  event: Pick<RoomEvent, 'type' | 'stateKey'>,
  verdict: PolicyVerdict | undefined,
  policyId: EventId | undefined,
): boolean {
  if (policyId === undefined || isBeyondPolicy(event)) return false;
  return verdict === undefined || (verdict.of !== undefined && verdict.of !== policyId);
}

/** Step 7: why the policy, which was asked while nobody held the room, does not want an event; undefined where it does. */
export function refuseByPolicy(verdict: PolicyVerdict | undefined): Refusal {
  return verdict === undefined || verdict.isAllowed ? undefined : verdict.reason;
}

/**
 * As `refuseByPolicy`, of what comes late. NOTSPEC: where nobody answered it is taken as the rules of the room let it be. "Soft fail the event"
 * is for good, and an outage would take the history of that time away from all who were not there; what is new is soft-failed then, as the
 * specification has it.
 */
export function refusePastByPolicy(verdict: PolicyVerdict | undefined): Refusal {
  return verdict?.isAllowed === false && verdict.isUnanswered === true ? undefined : refuseByPolicy(verdict);
}

/**
 * By which state event the policy is asked for what comes late: what was missed by that of the room as it stands, and what is fetched from the past by that of
 * then, whose key has signed it; where the room uses none now, by none. NOTSPEC: nor at the edge of what is known of the room, beyond which nobody
 * could read on who is not shown this event.
 */
export function policyOfPast(
  { state, isLearnt }: StateBefore,
  isHole: boolean,
  { policyId }: KnownRoom,
): EventId | undefined {
  if (policyId === undefined || isLearnt) return undefined;
  return isHole ? policyId : policyEventIdOf(state);
}
