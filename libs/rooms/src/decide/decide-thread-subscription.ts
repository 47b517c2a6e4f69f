import type { EventId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { ThreadOfRoom, ThreadSubscriptionFact } from '../facts/thread-subscription-facts.js';

/** How a user stands to a thread that they were ever subscribed to; MSC4306: "manual subscriptions take precedence". */
export interface ThreadStanding {
  readonly subscribed: 'manual' | 'automatic' | 'no';
  /** As in the facts. */
  readonly stamp: number;
}

/** The event because of which a client subscribes by itself. */
export interface SubscriptionCause {
  readonly eventId: EventId;
  /** It came after the user had unsubscribed; true where they never did. */
  readonly isNew: boolean;
}

/**
 * Subscribes to a thread: for the user, or because of an event. Nothing is to be done where there is a subscription already, unless it was
 * a client's decision and is now the user's. Throws IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION where the user unsubscribed when
 * the cause had come already: MSC4306, "Server-side automatic subscription ordering".
 */
export function decideThreadSubscription(
  before: ThreadStanding | undefined,
  thread: ThreadOfRoom,
  cause: SubscriptionCause | undefined,
  now: number,
): ThreadSubscriptionFact[] {
  if (before?.subscribed === 'manual') return [];
  if (before?.subscribed === 'automatic' && cause !== undefined) return [];
  if (before?.subscribed === 'no' && cause?.isNew === false) {
    throw new MatrixError('IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION');
  }
  const data = { ...thread, stamp: nextStamp(before, now), ...(cause === undefined ? {} : { cause: cause.eventId }) };
  return [{ type: 'thread-subscribed', data }];
}

/** Unsubscribes from a thread, when `after` was the last event of its room. Nothing is to be done where there is no subscription. */
export function decideThreadUnsubscription(
  before: ThreadStanding | undefined,
  thread: ThreadOfRoom,
  after: EventId | undefined,
  now: number,
): ThreadSubscriptionFact[] {
  if (before === undefined || before.subscribed === 'no') return [];
  const data = { ...thread, stamp: nextStamp(before, now), ...(after === undefined ? {} : { after }) };
  return [{ type: 'thread-unsubscribed', data }];
}

/** The stamp of what comes next: greater than the one before, and, being the time, than one of a part of the log that is lost. */
export function nextStamp(before: ThreadStanding | undefined, now: number): number {
  return Math.max(now, (before?.stamp ?? 0) + 1);
}
