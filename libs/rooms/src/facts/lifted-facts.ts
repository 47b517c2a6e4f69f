import type { EventId } from '#kernel/ids';

/**
 * `soft-failure-lifted`: an event that was soft-failed, and is sticky still, is allowed by the room's state of now: who is in the room is
 * told of it as long as it is sticky (MSC4354). It takes no other part in the room than before.
 */
export interface SoftFailureLifted {
  readonly event_id: EventId;
}
