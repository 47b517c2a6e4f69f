import type { UnreadEvent } from './unread-search.js';

/** How many events of a room, or of one thread in it, notify a user who has not read them. */
export interface UnreadCount {
  readonly notifications: number;
  readonly highlights: number;
}

/** The counts of a room by thread. `main` is what is in no thread. */
export type UnreadByThread = ReadonlyMap<string, UnreadCount>;

/** Counts events, on top of what has been counted. */
export function countByThread(events: readonly UnreadEvent[], counted?: UnreadByThread): UnreadByThread {
  const counts = new Map(counted);
  for (const { thread, isHighlight } of events) {
    const { notifications = 0, highlights = 0 } = counts.get(thread) ?? {};
    counts.set(thread, { notifications: notifications + 1, highlights: highlights + Number(isHighlight) });
  }
  return counts;
}

/** All threads together. */
export function totalUnread(counts: UnreadByThread): UnreadCount {
  let notifications = 0;
  let highlights = 0;
  for (const count of counts.values()) {
    notifications += count.notifications;
    highlights += count.highlights;
  }
  return { notifications, highlights };
}

/** Whether as much is unread in each thread. */
export function areSameCounts(a: UnreadByThread, b: UnreadByThread): boolean {
  const isSame = ([thread, count]: readonly [string, UnreadCount]): boolean => {
    const other = b.get(thread);
    return other?.notifications === count.notifications && other.highlights === count.highlights;
  };
  return a.size === b.size && [...a].every(isSame);
}
