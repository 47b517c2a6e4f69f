import { setTimeout as delay } from 'node:timers/promises';
import type { ReadModelStore } from '#read-models/read-model-store';

/** The same views, once this process is the one that writes to them. */
export async function withLease(store: ReadModelStore): Promise<ReadModelStore> {
  while (!(await store.takeLease())) await delay(100);
  return store;
}
