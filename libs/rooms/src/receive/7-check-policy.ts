import type { Refusal } from '#protocol/event-auth/refusal';
import type { RoomEvent } from '#protocol/room-event';

/** What a policy says of an event. */
export type PolicyVerdict = { readonly isAllowed: true } | { readonly isAllowed: false; readonly reason: string };

/**
 * A policy beside the rules of the room: a policy server's, or an operator's. Asked for what is received and, before it is
 * appended, for what users here send. It may wait for the network, so it is never asked while a room is held. Where it
 * throws, the event goes where the caller sends it: nothing is decided.
 */
export type Policy = (event: RoomEvent) => Promise<PolicyVerdict>;

const ALLOWED: PolicyVerdict = Object.freeze({ isAllowed: true });

/** The policy of who has none. */
export const allowAll: Policy = () => Promise.resolve(ALLOWED);

/** Step 7: why the policy, which was asked before the room was held, does not want an event; undefined where it does. */
export function refuseByPolicy(verdict: PolicyVerdict): Refusal {
  return verdict.isAllowed ? undefined : verdict.reason;
}
