import type { FactShapes } from '#event-store/fact-shapes';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';

/**
 * What a user is in rooms that are not here, as other servers and the user say: invited, or knocking, or neither any more. Nothing is
 * known of such a room, so there is no stream of it; once the room comes here its own facts count.
 */
export const ELSEWHERE_STREAM_PREFIX = 'elsewhere-';
export const elsewhereStream = (userId: UserId): string => `${ELSEWHERE_STREAM_PREFIX}${userId}`;

/** Whose memberships a stream is about. */
export const userIdOfElsewhere = (stream: string): UserId => stream.slice(ELSEWHERE_STREAM_PREFIX.length) as UserId;

/** In `elsewhere-{user_id}`: `membership-told`: the user is this in a room that is not here. */
export interface MembershipTold {
  readonly room_id: RoomId;
  readonly room_version: string;
  readonly membership: 'invite' | 'knock' | 'leave' | 'ban';
  /** The member event; where the user left with nobody there to take their word, that which they turned down. */
  readonly event_id: EventId;
  /** Who told it, and may be asked to let the user in; left out: this server, of a user whose word nobody took. */
  readonly origin?: ServerName;
  /** The member event; of one that nobody took no more than what it says. */
  readonly pdu: JsonObject;
  /** What the user may know of the room: stripped state events. */
  readonly state: readonly JsonObject[];
}

/** How old shapes of these facts become today's. */
export const ELSEWHERE_SHAPES = {
  'membership-told': [],
} as const satisfies FactShapes;
