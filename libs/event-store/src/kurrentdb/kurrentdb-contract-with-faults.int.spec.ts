import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect } from 'vitest';
import { type KurrentStandIn, startKurrentStandIn } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';
import { DEFAULT_APPEND_BYTES } from '#testing/kurrentdb-stand-in/stand-in-log';
import { describeEventStore } from '../event-store.contract.js';
import { openKurrentEventStore } from './kurrentdb-event-store.js';

// How fast a busy machine is, is not the subject here.
const options = { patienceMs: 60_000 };

describeEventStore('KurrentDB event store, on a server that takes 1 MB at once', async () => {
  const server = await startKurrentStandIn({ maxAppendBytes: DEFAULT_APPEND_BYTES });
  let store = await openKurrentEventStore(server.url, options);
  return {
    get store() {
      return store;
    },
    maxAppendBytes: DEFAULT_APPEND_BYTES,
    reopen: async () => {
      await store.close();
      store = await openKurrentEventStore(server.url, options);
    },
    openReader: () => openKurrentEventStore(server.url, options),
    dropConnections: () => server.dropSubscriptions(),
    close: async () => {
      await store.close();
      await server.close();
    },
  };
});

/** Begins to open a store upon a server that is away, which comes back a second later. */
async function openEarly(before: KurrentStandIn) {
  await before.close();
  const opening = openKurrentEventStore(before.url, options);
  await delay(1000);
  const server = await startKurrentStandIn(before);
  return { server, store: await opening };
}

describeEventStore('KurrentDB event store, opened a second before its server listens', async () => {
  let { server, store } = await openEarly(await startKurrentStandIn());
  return {
    get store() {
      return store;
    },
    reopen: async () => {
      await store.close();
      ({ server, store } = await openEarly(server));
    },
    openReader: () => openKurrentEventStore(server.url, options),
    dropConnections: () => server.dropSubscriptions(),
    close: async () => {
      await store.close();
      await server.close();
    },
  };
});

describe('a server that falls silent now and then to a connection that has read', () => {
  let server: KurrentStandIn;
  let tests = 0;
  // Each costs the five seconds after which a silent reading is taken for lost.
  beforeEach(() => {
    if (++tests % 6 === 4) server.faults.connectionsToSilence++;
  });

  describeEventStore('KurrentDB event store, on that server', async () => {
    server = await startKurrentStandIn();
    server.faults.readingsUntilSilent = 3;
    let store = await openKurrentEventStore(server.url, options);
    return {
      get store() {
        return store;
      },
      reopen: async () => {
        await store.close();
        store = await openKurrentEventStore(server.url, options);
      },
      openReader: () => openKurrentEventStore(server.url, options),
      dropConnections: () => server.dropSubscriptions(),
      close: async () => {
        await store.close();
        await server.close();
        // Else it was the contract without the fault.
        expect(server.faults.connectionsToSilence).toBe(0);
      },
    };
  });
});
