import type { FactShapes } from '#event-store/fact-shapes';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';

/**
 * `elsewhere-{user_id}`: what a user is in rooms that are not here, as other servers and the user say: invited, or knocking, or neither
 * any more. Nothing is known of such a room, so there is no stream of it; once the room comes here its own facts count. And what other
 * servers were given of the user's events, to let them into rooms.
 */
export const ELSEWHERE_STREAM_PREFIX = 'elsewhere-';
export const elsewhereStream = (userId: UserId): string => `${ELSEWHERE_STREAM_PREFIX}${userId}`;

/** Whose memberships a stream is about. */
export const userIdOfElsewhere = (stream: string): UserId => stream.slice(ELSEWHERE_STREAM_PREFIX.length) as UserId;

/** `membership-told`: the user is this in a room that is not here. */
export interface MembershipTold {
  readonly room_id: RoomId;
  readonly room_version: string;
  readonly membership: 'invite' | 'knock' | 'leave' | 'ban';
  /**
   * The member event; where the user left with nobody there to take their word, that which they turned down; where the room was purged, of
   * which the user is told by nothing else, of none.
   */
  readonly event_id: EventId;
  /** Who told it, and may be asked to let the user in; left out: this server, of a user whose word nobody took. */
  readonly origin?: ServerName;
  /** The member event; of one that nobody took no more than what it says. */
  readonly pdu: JsonObject;
  /** What the user may know of the room: stripped state events. */
  readonly state: readonly JsonObject[];
}

/**
 * `membership-kept`: beside what the user is shown they are this in the room by the word of another server, which may be a rival of the
 * first, or nobody in that room: it hides and ends nothing. `leave`, `ban`: no more, its `pdu` being that which ended or which is over.
 */
export type MembershipKept = MembershipTold;

/**
 * `handshake-begun`: another server is about to be given an event of this user, and may take it from here on. It is open until the log
 * has that event, as a fact of the room or as `membership-told`, or `handshake-ended`. Of whatever a process leaves open it is found out
 * what became of it (`SettleHandshake`).
 */
export interface HandshakeBegun {
  readonly room_id: RoomId;
  readonly room_version: string;
  /** What the event makes of whom it is about: of the user, or where it is an invitation of a user of the other server. */
  readonly membership: HandshakeMembership;
  readonly event_id: EventId;
  readonly server: ServerName;
  readonly pdu: JsonObject;
}

export type HandshakeMembership = 'join' | 'knock' | 'leave' | 'invite';

/** `handshake-ended`: the other server did not take the event, or what it made of the user is over. */
export interface HandshakeEnded {
  readonly room_id: RoomId;
  readonly event_id: EventId;
}

/** `stays-ended`: the account is closed. What came before says nothing any more, and goes from the log. */
export type StaysEnded = Readonly<Record<string, never>>;

/** How old shapes of these facts become today's. */
export const ELSEWHERE_SHAPES = {
  'membership-told': [],
  'membership-kept': [],
  'handshake-begun': [],
  'stays-ended': [],
  'handshake-ended': [],
} as const satisfies FactShapes;
