import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { UnreadCount } from '../unread/count-by-thread.js';

/** Somebody by whom a room without a name is called: MSC4186, "StrippedHero". */
export interface Hero {
  readonly user_id: UserId;
  readonly displayname?: string;
  readonly avatar_url?: string;
}

/** A key of the state that nothing holds any more: MSC4186, "StateStub". */
export interface StateStub {
  readonly type: string;
  readonly state_key: string;
}

/** The end of a room's timeline. */
export interface RoomTimeline {
  /** Events as JSON texts. */
  readonly events: readonly string[];
  readonly ids: readonly EventId[];
  readonly limited: boolean;
  /** It reaches back to before what the client has. */
  readonly isExpanded: boolean;
  readonly prevBatch: string;
  /** So many at its end have come since the client asked last. */
  readonly live: number;
}

/** What is told of a room that the user is in, or was. What is left out the client knows. */
export interface RoomContents {
  /** The client had nothing of the room, or is to forget what it had. */
  readonly initial: boolean;
  /** null: it has none (any more). */
  readonly name?: string | null;
  readonly avatar?: string | null;
  readonly heroes?: readonly Hero[];
  readonly joined?: number;
  readonly invited?: number;
  readonly unread?: UnreadCount;
  /** Events as JSON texts. */
  readonly state?: readonly string[];
  readonly gone?: readonly StateStub[];
  readonly timeline?: RoomTimeline;
}

/** What is told of a room in one answer. */
export interface RoomUpdate {
  readonly roomId: RoomId;
  readonly membership: string;
  readonly lists: readonly string[];
  readonly bumpStamp: number;
  readonly isDirect: boolean;
  /** Whether `isDirect` is news to the client. */
  readonly isDirectNew: boolean;
  readonly contents: RoomContents | undefined;
  /** For who is invited or knocks: stripped state events, as JSON texts. */
  readonly stripped: readonly string[] | undefined;
}
