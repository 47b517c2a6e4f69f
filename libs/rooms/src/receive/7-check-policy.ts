import type { EventId } from '#kernel/ids';
import type { Refusal } from '#protocol/event-auth/refusal';
import type { RoomEvent } from '#protocol/room-event';
import { isBeyondPolicy, type PolicyVerdict } from '../room-policy.js';

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
