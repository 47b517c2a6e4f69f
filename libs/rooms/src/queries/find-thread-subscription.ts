import type { EventId, RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import { THREAD_SUBSCRIPTIONS } from '../projections/thread-subscriptions.projector.js';
import { findEventFor, type FoundEvent } from './get-event.js';

/**
 * The event that a thread begins with, or may begin with, for who is in the room. Throws M_NOT_FOUND otherwise, whatever the reason:
 * "if the thread does not exist, or if the user does not have access to it" (MSC4306). Nobody is notified of a room they are not in.
 */
export async function getThreadRoot(views: Views, roomId: RoomId, root: EventId, userId: UserId): Promise<FoundEvent> {
  const found = await findEventFor(views, roomId, root, userId);
  if (found?.room.isIn !== true) throw new MatrixError('M_NOT_FOUND', 'No such thread, or you may not see it');
  return found;
}

/** A subscription to a thread. */
export interface ThreadSubscription {
  /** A client made it by itself. */
  readonly automatic: boolean;
}

/** Whether the user is subscribed to a thread; undefined: they are not. Throws as `getThreadRoot`. */
export async function findThreadSubscription(
  views: Views,
  roomId: RoomId,
  root: EventId,
  userId: UserId,
): Promise<ThreadSubscription | undefined> {
  await getThreadRoot(views, roomId, root, userId);
  const { subscribed = 'no' } = (await THREAD_SUBSCRIPTIONS.get(views, [userId, roomId, root])) ?? {};
  return subscribed === 'no' ? undefined : { automatic: subscribed === 'automatic' };
}
