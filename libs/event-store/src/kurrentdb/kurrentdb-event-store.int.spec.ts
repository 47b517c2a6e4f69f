import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { START } from '#kernel/position';
import { startKurrentStandIn, systemEvent, type KurrentStandIn } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';
import { describeEventStore } from '../event-store.contract.js';
import type { EventStore, RecordedFact } from '../event-store.js';
import { EventStoreUnavailable } from '../event-store-errors.js';
import { openedStore, someFact, someFacts } from '../store-under-test.js';
import { openKurrentEventStore, type KurrentEventStoreOptions } from './kurrentdb-event-store.js';

describeEventStore('KurrentDB event store, on the stand-in', async () => {
  const server = await startKurrentStandIn();
  return openedStore({
    // How fast a busy machine is, is not the subject here.
    open: () => openKurrentEventStore(server.url, { patienceMs: 60_000 }),
    dropConnections: () => server.dropSubscriptions(),
    close: () => server.close(),
  });
});

const realServer = process.env['ANNALS_EVENT_STORE_URL'];
if (realServer === undefined) {
  describe.skip('KurrentDB event store, on a server (set ANNALS_EVENT_STORE_URL to run this)', () => {
    it('keeps the contract', () => {});
  });
} else {
  describeEventStore('KurrentDB event store, on the server of ANNALS_EVENT_STORE_URL', () => {
    const namespace = `test-${randomUUID()}`;
    return openedStore({ open: () => openKurrentEventStore(realServer, { namespace }) });
  });
}

async function idsIn(store: EventStore, stream: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of store.readStream(stream)) ids.push(id);
  return ids;
}

describe('KurrentDB event store, when things go wrong', () => {
  let server: KurrentStandIn;
  const stores: EventStore[] = [];
  beforeEach(async () => {
    server = await startKurrentStandIn();
  });
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
    await server.close();
  });

  async function open(options?: KurrentEventStoreOptions): Promise<EventStore> {
    const store = await openKurrentEventStore(server.url, options);
    stores.push(store);
    return store;
  }

  it('says which server does not answer, without its password', async () => {
    await server.close();
    const url = server.url.replace('//', '//admin:changeit@');
    const error = await openKurrentEventStore(url, { patienceMs: 200 }).catch((caught: Error) => caught);
    expect(error).toBeInstanceOf(EventStoreUnavailable);
    expect((error as Error).message).toMatch(
      /^The event store at kurrentdb:\/\/127\.0\.0\.1:\d+\?tls=false does not answer/,
    );
  });

  it('waits for a server that is still starting', async () => {
    await server.close();
    const opening = openKurrentEventStore(server.url);
    server = await startKurrentStandIn(server);
    stores.push(await opening);
    expect(await stores[0]!.head()).toBe(START);
  });

  it('appends once when the answer is lost on the way', async () => {
    const store = await open();
    const facts = someFacts(2);
    await store.append('a', 'no-stream', facts);
    const more = someFacts(2);
    server.loseNextAnswer();
    const appended = await store.append('a', 1, more);
    expect(appended).toEqual({ revision: 3, position: await store.head() });
    expect(await idsIn(store, 'a')).toEqual([...facts, ...more].map((fact) => fact.id));
  });

  it('goes on after the server was started again', async () => {
    const store = await open();
    await store.append('a', 'no-stream', someFacts(3));
    const abort = new AbortController();
    const seen: RecordedFact[] = [];
    const live = (async () => {
      for await (const batch of store.subscribe({ after: START, signal: abort.signal })) {
        seen.push(...batch);
        if (seen.length === 6) return;
      }
    })();
    await server.close();
    server = await startKurrentStandIn(server);
    await store.append('a', 2, someFacts(3));
    await live;
    abort.abort();
    expect(seen.map((fact) => fact.revision)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await idsIn(store, 'a')).toEqual(seen.map((fact) => fact.id));
  });

  it('gives up on a server that stays away', async () => {
    const store = await open({ patienceMs: 200 });
    await store.append('a', 'no-stream', someFacts(1));
    await server.close();
    await expect(store.append('a', 0, someFacts(1))).rejects.toThrow();
    await expect(idsIn(store, 'a')).rejects.toThrow();
    server = await startKurrentStandIn(server);
  });

  it('names the limit that an append exceeds', async () => {
    const store = await open({ patienceMs: 60_000 });
    const huge = someFact(JSON.stringify('x'.repeat(17 * 1024 * 1024)));
    await expect(store.append('a', 'no-stream', [huge])).rejects.toThrow(/at most 16777216 bytes.*max-append-size/);
    expect(await idsIn(store, 'a')).toEqual([]);
  });

  it('sees nothing of the server itself or of another namespace', async () => {
    const store = await open();
    const other = await open({ namespace: 'annals-2' });
    const before = await store.append('a', 'no-stream', someFacts(1));
    server.log.append('$stats-127.0.0.1', 'any', [systemEvent('$statsCollected')]);
    await other.append('a', 'no-stream', someFacts(2));
    server.log.append('of-others', 'any', [systemEvent('something')]);
    expect(await store.head()).toBe(before.position);
    const after = await store.append('a', 0, someFacts(1));
    const seen: RecordedFact[] = [];
    for await (const batch of store.readAll({ after: START })) seen.push(...batch);
    expect(seen.map((fact) => fact.position)).toEqual([before.position, after.position]);
    const abort = new AbortController();
    for await (const batch of store.subscribe({ after: before.position, signal: abort.signal })) {
      expect(batch.map((fact) => fact.position)).toEqual([after.position]);
      server.log.append('of-others', 'any', [systemEvent('something')]);
      abort.abort();
    }
  });

  it('ends subscriptions when it is closed', async () => {
    const store = await open();
    const live = (async () => {
      let batches = 0;
      for await (const batch of store.subscribe({ after: START, signal: new AbortController().signal })) {
        batches += batch.length;
      }
      return batches;
    })();
    await store.append('a', 'no-stream', someFacts(1));
    await store.close();
    expect(await live).toBeLessThanOrEqual(1);
    await expect(store.append('a', 0, someFacts(1))).rejects.toThrow('closed');
  });
});
