import type { EventId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { StateTrie } from '#protocol/state-trie/state-trie';

/** The type of the state event that names a room's policy server. */
export const POLICY = 'm.room.policy';

/** A signature by which a policy server says that it wants an event in the room. */
export interface PolicySignature {
  readonly signer: string;
  readonly keyId: string;
  readonly signature: string;
}

/**
 * What a policy says of an event. `of`: the state event that it was asked by; left out where it holds whatever the room says. `signed`: to be
 * added to the event, which does not have it yet. `isUnanswered`: whoever was asked has said nothing of the event.
 */
export type PolicyVerdict =
  | { readonly isAllowed: true; readonly of?: EventId; readonly signed?: PolicySignature }
  | { readonly isAllowed: false; readonly isUnanswered?: true; readonly of?: EventId; readonly reason: string };

/** What the policy of a room is asked by. */
export interface PolicyQuestion {
  /** Whether this server has made the event: who sent it waits for the answer. */
  readonly isOwn: boolean;
  readonly version: RoomVersion;
  /** The state event of the room that names its policy server; undefined where the room has none. */
  readonly policyEvent: RoomEvent | undefined;
  /** Whether somebody of the server that the event names is in the room, as it stands. */
  readonly isThere: boolean;
}

/**
 * A policy beside the rules of the room: that of the room's policy server. Asked for what is received and passed all other checks and, before it is
 * appended, for what users here send. It may wait for the network, so it is never asked while a room is held. Of an event of ours
 * it throws why that cannot be sent where there is more to say than a reason; of others never.
 */
export interface Policy {
  (event: RoomEvent, question: PolicyQuestion): Promise<PolicyVerdict>;
  /** PERF: whether anything is asked of a room in this state; left out: always. */
  readonly concerns?: (state: StateTrie) => boolean;
}

/** Injection token of the policy of rooms: a global provider, or none. */
export const ROOM_POLICY = Symbol.for('annals.RoomPolicy');

const ALLOWED: PolicyVerdict = Object.freeze({ isAllowed: true });

/** The policy of who has none. */
export const allowAll = (): Promise<PolicyVerdict> => Promise.resolve(ALLOWED);

/** The state event by which a policy server is asked for what comes into a room; undefined where the room has none. */
export function policyEventIdOf(state: StateTrie): EventId | undefined {
  return state.get(POLICY, '') as EventId | undefined;
}

/** "All other events are processed": by what ends the use of a policy server, that is not asked. */
export function isBeyondPolicy({ type, stateKey }: Pick<RoomEvent, 'type' | 'stateKey'>): boolean {
  return type === POLICY && stateKey === '';
}
