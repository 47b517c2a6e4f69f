import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { PusherSet } from '#push/facts/pusher-facts';
import type { PushedEvent } from '#push/gateway/notification';
import type { Badge } from '#sync/unread/badges';

/** What one user's gateway is to be told: of an event, or without one of the number of unread events. */
export interface PushItem {
  readonly event?: EventToPush;
  /** When it was to be told first, by the stopwatch. */
  readonly since: number;
  /** Called once the gateway has it, or it needs not have it, or it is noted in the log that it is owed something. */
  readonly ended: () => void;
}

/** An event that the rules of a user let be told of. */
export interface EventToPush {
  /** What they say of it for a pusher; undefined where they do not let that one be told. */
  tweaksFor(pusher: PusherSet): JsonObject | undefined;
  /** Whether it still is to be told: it may have been read or redacted meanwhile. */
  isDue(badge: Badge): boolean | Promise<boolean>;
  /** What is told of it; undefined where it is gone. */
  describe(userId: UserId): Promise<PushedEvent | undefined>;
}
