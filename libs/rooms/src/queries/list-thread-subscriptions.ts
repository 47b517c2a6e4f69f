import type { EventId, RoomId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import {
  THREAD_SUBSCRIPTIONS,
  THREAD_SUBSCRIPTIONS_LOG,
  type ThreadSubscriptionRow,
} from '../projections/thread-subscriptions.projector.js';
import { USER_ROOMS } from '../projections/membership.projector.js';

/** A place in the order in which somebody's subscriptions changed: just before one. */
export interface ThreadsLogPlace {
  readonly position: Position;
  /** Which of those that changed there. */
  readonly thread: string;
}

/** A stretch of the changes, and how many of them are wanted. */
export interface ChangedThreads {
  /** Only what changed after this position. */
  readonly after?: Position;
  /** Nothing after this one. */
  readonly upTo?: Position;
  /** Where a page ended. */
  readonly before?: ThreadsLogPlace;
  readonly limit: number;
}

/** A thread, and how its user stands to it. */
export interface ChangedThread extends Pick<ThreadSubscriptionRow, 'subscribed' | 'stamp'> {
  readonly roomId: RoomId;
  readonly root: EventId;
}

export interface ChangedThreadsPage {
  readonly threads: readonly ChangedThread[];
  /** Where to go on; undefined where there is nothing more. */
  readonly next: ThreadsLogPlace | undefined;
}

/** Stands behind all threads that changed at a position: no hash has this letter. */
const BEHIND_ALL = '~';

/**
 * The threads to which a user stands otherwise than before, in their rooms: those that changed last are the first, each is there once, with
 * how it is now (MSC4308). Of rooms that they are not in nothing is told.
 */
export async function listThreadSubscriptions(
  views: Views,
  userId: UserId,
  { after = START, upTo, before, limit }: ChangedThreads,
): Promise<ChangedThreadsPage> {
  const rows = await THREAD_SUBSCRIPTIONS_LOG.scan(views, {
    prefix: [userId],
    after: [userId, after, BEHIND_ALL],
    to: upTo && [userId, upTo, BEHIND_ALL],
    before: before && [userId, before.position, before.thread],
    reverse: true,
    limit: limit + 1,
  });
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1)?.key : undefined;
  const next = last && { position: last[1], thread: last[2] };
  const [standings, joined] = await Promise.all([
    THREAD_SUBSCRIPTIONS.getMany(
      views,
      page.map(({ value: [roomId, root] }) => [userId, roomId, root]),
    ),
    listJoined(views, userId, new Set(page.map(({ value: [roomId] }) => roomId))),
  ]);
  const threads = page.flatMap(({ key: [, position], value: [roomId, root] }, i): ChangedThread[] => {
    const standing = standings[i];
    // Changed again later: in a store without transactions a crash can have kept the row of the earlier change.
    if (standing?.pos !== position || !joined.has(roomId)) return [];
    return [{ roomId, root, subscribed: standing.subscribed, stamp: standing.stamp }];
  });
  return { threads, next };
}

/** Those of some rooms that a user is in. */
async function listJoined(views: Views, userId: UserId, roomIds: ReadonlySet<RoomId>): Promise<ReadonlySet<RoomId>> {
  const ids = [...roomIds];
  const rows = await USER_ROOMS.getMany(
    views,
    ids.map((roomId) => [userId, roomId]),
  );
  return new Set(ids.filter((_, i) => rows[i]?.membership === 'join'));
}

/** The threads of a room that a user is subscribed to. */
export async function listFollowedThreads(
  views: Pick<Views, 'scan'>,
  userId: UserId,
  roomId: RoomId,
): Promise<ReadonlySet<EventId>> {
  const followed = new Set<EventId>();
  for await (const page of THREAD_SUBSCRIPTIONS.pages(views, { prefix: [userId, roomId] }))
    for (const { key, value } of page) if (value.subscribed !== 'no') followed.add(key[2]);
  return followed;
}
