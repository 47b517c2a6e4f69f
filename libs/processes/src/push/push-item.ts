import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Position } from '#kernel/position';
import type { PusherSet } from '#push/facts/pusher-facts';
import type { PushedEvent } from '#push/gateway/notification';
import type { Badge } from '#sync/unread/badges';

/** What one user's gateway is to be told: of an event, or without one of the number of unread events. */
export interface PushItem {
  readonly event?: EventToPush;
  /** It is owed the newest event that is unread by the time it is told, or the number where there is none. */
  readonly isOwed?: true;
  /** When it was to be told first, by the stopwatch. */
  readonly since: number;
  /** Called when the gateway has it, or needs not have it, or the log says that it is owed something; more than once, where several come true. */
  readonly ended: () => void;
}

/** An event that the rules of a user let be told of. Thousands may wait: it holds where the event stands and nothing of it. */
export interface EventToPush {
  readonly roomId: RoomId;
  readonly position: Position;
  /** Where the user's rules take a while: asks them, before all else; false where they let nothing be told. */
  readonly askRules?: () => Promise<boolean>;
  /** What they say of it for a pusher; undefined where they do not let that one be told. */
  tweaksFor(pusher: PusherSet): JsonObject | undefined;
  /** Whether it still is to be told: it may have been read or redacted meanwhile. */
  isDue(badge: Badge): boolean | Promise<boolean>;
  /** What is told of it; undefined where it is gone. */
  describe(userId: UserId): Promise<PushedEvent | undefined>;
}
