import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Position } from '#kernel/position';
import type { EventStore, NewFact, RecordedFact } from './event-store.js';
import { sealFacts } from './seal-facts.js';

/** A store under test and what its adapter can do beside. The log need not be empty. */
export interface OpenedStore {
  readonly store: EventStore;
  /** Closes the store and opens the same log anew; `store` is the new one from then on. */
  reopen?(): Promise<void>;
  /** Opens the same log for another reader, to be closed by the caller. */
  openReader?(): Promise<EventStore>;
  /** Breaks what connects subscribers to the log. */
  dropConnections?(): void;
  /** The log is told to take no more bytes at once than this, which is less than the port asks for. */
  readonly maxAppendBytes?: number;
  close(): Promise<void>;
}

/** A store under test that is opened in one way, however often; `close` is for what is behind it. */
export async function openedStore({
  open,
  openReader = open,
  close = async () => {},
  ...rest
}: Pick<OpenedStore, 'openReader' | 'dropConnections' | 'maxAppendBytes'> & {
  readonly open: () => Promise<EventStore>;
  readonly close?: () => Promise<unknown>;
}): Promise<OpenedStore> {
  let store = await open();
  return {
    ...rest,
    get store() {
      return store;
    },
    reopen: async () => {
      await store.close();
      store = await open();
    },
    openReader,
    close: async () => {
      await store.close();
      await close();
    },
  };
}

let made = 0;

/** A fact with an id of its own. */
export function someFact(data = JSON.stringify({ n: made }), type = 'something-happened'): NewFact {
  made++;
  return sealFacts(undefined, [
    { id: randomUUID(), type, data, at: 1_700_000_000_000 + made, actor: '@zoë:example.org', correlation: `r${made}` },
  ])[0]!;
}

export function someFacts(count: number): NewFact[] {
  return Array.from({ length: count }, () => someFact());
}

export function streamName(): string {
  return `room-!${randomUUID()}:example.org`;
}

export async function readAllOf(store: EventStore, stream: string, options?: Parameters<EventStore['readStream']>[1]) {
  const facts: RecordedFact[] = [];
  for await (const fact of store.readStream(stream, options)) facts.push(fact);
  return facts;
}

export async function readFrom(store: EventStore, after: Position, batchSize?: number): Promise<RecordedFact[]> {
  const facts: RecordedFact[] = [];
  for await (const batch of store.readAll({ after, batchSize })) facts.push(...batch);
  return facts;
}

/** Subscribes and gathers facts in the background until `stop`. */
export function gather(
  store: EventStore,
  after: Position,
  pause: (batch: readonly RecordedFact[]) => Promise<unknown> | void,
) {
  const facts: RecordedFact[] = [];
  const abort = new AbortController();
  const done = (async () => {
    for await (const batch of store.subscribe({ after, signal: abort.signal })) {
      facts.push(...batch);
      await pause(batch);
    }
  })();
  return {
    facts,
    async until(count: number): Promise<RecordedFact[]> {
      for (let waited = 0; facts.length < count; waited += 5) {
        if (waited > 25_000) throw new Error(`${facts.length} of ${count} facts arrived`);
        await delay(5);
      }
      return facts;
    },
    async stop(): Promise<void> {
      abort.abort();
      await done;
    },
  };
}

export const noPause = () => {};
