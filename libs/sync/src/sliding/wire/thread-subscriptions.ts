import type { ChangedThread } from '#rooms/queries/list-thread-subscriptions';

/** What MSC4308 tells of threads, in the extension and in pages alike. Both maps are always there: there are clients that want them. */
export interface ToldThreads {
  readonly subscribed: Record<string, Record<string, { readonly automatic: boolean; readonly bump_stamp: number }>>;
  readonly unsubscribed: Record<string, Record<string, { readonly bump_stamp: number }>>;
}

/** Threads by their rooms, as clients get them. */
export function toldThreads(threads: readonly ChangedThread[]): ToldThreads {
  const told: ToldThreads = { subscribed: {}, unsubscribed: {} };
  for (const { roomId, root, subscribed, stamp } of threads) {
    if (subscribed === 'no') (told.unsubscribed[roomId] ??= {})[root] = { bump_stamp: stamp };
    else (told.subscribed[roomId] ??= {})[root] = { automatic: subscribed === 'automatic', bump_stamp: stamp };
  }
  return told;
}
