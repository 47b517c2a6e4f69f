import type { FactShapes } from '#event-store/fact-shapes';
import type { EventId, RoomId, UserId } from '#kernel/ids';

/** The threads that a user wants to hear of, or no more: MSC4306. Nothing of it is overtaken often; with the account all of it goes. */
export const THREADS_STREAM_PREFIX = 'threads-';
export const threadsStream = (userId: UserId): string => `${THREADS_STREAM_PREFIX}${userId}`;

/** Whose threads a stream is about. */
export const userIdOfThreads = (stream: string): UserId => stream.slice(THREADS_STREAM_PREFIX.length) as UserId;

/** A thread, by the event that it begins with. */
export interface ThreadOfRoom {
  readonly room_id: RoomId;
  readonly root: EventId;
}

/**
 * In `threads-{user_id}`: `thread-subscribed`: the user wants to hear of a thread. `cause`: a client decided that by itself, because of
 * this event; without it the user did. `stamp`: of what is said of one thread the last has the greatest, whatever became of the log
 * meanwhile: clients believe nothing that comes with a lesser one.
 */
export interface ThreadSubscribed extends ThreadOfRoom {
  readonly stamp: number;
  readonly cause?: EventId;
}

/**
 * In the same stream: `thread-unsubscribed`: the user does not want to hear of a thread any more. `after`: the room's last event by then,
 * of those that were news: what came up to there is no cause to subscribe again. An id, for positions are other ones in a copy of the log.
 */
export interface ThreadUnsubscribed extends ThreadOfRoom {
  readonly stamp: number;
  readonly after?: EventId;
}

/** In the same stream: `thread-subscriptions-ended`: the account is closed, and what was before goes from the log. */
export type ThreadSubscriptionsEnded = Readonly<Record<string, never>>;

/** The facts that say something of one thread. */
export type ThreadSubscriptionFact =
  | { readonly type: 'thread-subscribed'; readonly data: ThreadSubscribed }
  | { readonly type: 'thread-unsubscribed'; readonly data: ThreadUnsubscribed };

/** How old shapes of these facts become today's. */
export const THREAD_SUBSCRIPTION_SHAPES = {
  'thread-subscribed': [],
  'thread-unsubscribed': [],
  'thread-subscriptions-ended': [],
} as const satisfies FactShapes;
