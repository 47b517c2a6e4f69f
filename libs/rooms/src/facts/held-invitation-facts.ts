import type { FactShapes } from '#event-store/fact-shapes';
import type { RoomId, UserId } from '#kernel/ids';

/** Invitations that their user is not shown for now, in `held-{user_id}`: of each sender the last fact of a room counts, and those before go from the log. */
export const HELD_STREAM_PREFIX = 'held-';
export const heldStream = (userId: UserId): string => `${HELD_STREAM_PREFIX}${userId}`;

/** Whose held invitations a stream has. */
export const userIdOfHeld = (stream: string): UserId => stream.slice(HELD_STREAM_PREFIX.length) as UserId;

/**
 * `invitation-held`: what this sender sends, or will have sent in a moment, is not shown until `invitation-released`. What a room of the log says
 * stays as it is.
 */
export interface InvitationHeld {
  readonly room_id: RoomId;
  readonly sender: UserId;
  /** `invitation-released`: the user's account is closed, and nobody is shown it. */
  readonly ended?: true;
}

/** How old shapes of these facts become today's. */
export const HELD_INVITATION_SHAPES = {
  'invitation-held': [],
  'invitation-released': [],
} as const satisfies FactShapes;
