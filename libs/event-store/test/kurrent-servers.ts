import { setTimeout as delay } from 'node:timers/promises';
import { START } from '#kernel/position';
import { type KurrentStandIn, startKurrentStandIn } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';
import type { EventStore, RecordedFact } from '../src/event-store.js';
import { type KurrentEventStoreOptions, openKurrentEventStore } from '../src/kurrentdb/kurrentdb-event-store.js';

/** What a test has open. */
export const closing: { close(): Promise<void> }[] = [];

/** Closes that, the last one first: for each file to be called after each of its tests. Here that would be said for the first of them alone. */
export async function closeAll(): Promise<void> {
  for (const each of closing.splice(0).toReversed()) await each.close();
}

/** Starts a server. */
export async function start(options?: Parameters<typeof startKurrentStandIn>[0]): Promise<KurrentStandIn> {
  const server = await startKurrentStandIn(options);
  closing.push(server);
  return server;
}

/** Opens a log on a server. */
export async function open(url: string, options?: KurrentEventStoreOptions): Promise<EventStore> {
  const store = await openKurrentEventStore(url, options);
  closing.push(store);
  return store;
}

export async function factsIn(store: EventStore, stream: string): Promise<RecordedFact[]> {
  const facts: RecordedFact[] = [];
  for await (const fact of store.readStream(stream)) facts.push(fact);
  return facts;
}

/** Follows the log; `until` settles when so many facts have come. */
export function follow(store: EventStore): { until(count: number): Promise<RecordedFact[]>; stop(): void } {
  const abort = new AbortController();
  const seen: RecordedFact[] = [];
  void (async () => {
    for await (const batch of store.subscribe({ after: START, signal: abort.signal })) seen.push(...batch);
  })();
  closing.push({ close: async () => abort.abort() });
  return {
    async until(count) {
      while (seen.length < count) await delay(20);
      return seen;
    },
    stop: () => abort.abort(),
  };
}
