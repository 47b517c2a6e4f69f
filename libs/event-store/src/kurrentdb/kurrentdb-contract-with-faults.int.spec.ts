import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect } from 'vitest';
import { type KurrentStandIn, startKurrentStandIn } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';
import { startKurrentCluster } from '#testing/kurrentdb-stand-in/stand-in-cluster';
import { DEFAULT_APPEND_BYTES } from '#testing/kurrentdb-stand-in/stand-in-log';
import { describeEventStore } from '../event-store.contract.js';
import { openedStore } from '../store-under-test.js';
import { openKurrentEventStore } from './kurrentdb-event-store.js';

// How fast a busy machine is, is not the subject here.
const options = { patienceMs: 60_000 };

describeEventStore('KurrentDB event store, on a server that takes 1 MB at once', async () => {
  const server = await startKurrentStandIn({ maxAppendBytes: DEFAULT_APPEND_BYTES });
  return openedStore({
    open: () => openKurrentEventStore(server.url, options),
    maxAppendBytes: DEFAULT_APPEND_BYTES,
    dropConnections: () => server.dropSubscriptions(),
    close: () => server.close(),
  });
});

describeEventStore('KurrentDB event store, opened a second before its server listens', async () => {
  let server = await startKurrentStandIn();
  return openedStore({
    open: async () => {
      await server.close();
      const opening = openKurrentEventStore(server.url, options);
      await delay(1000);
      server = await startKurrentStandIn(server);
      return opening;
    },
    openReader: () => openKurrentEventStore(server.url, options),
    dropConnections: () => server.dropSubscriptions(),
    close: () => server.close(),
  });
});

describe('a server that falls silent now and then to a connection that has read', () => {
  let server: KurrentStandIn;
  let tests = 0;
  // Each costs the five seconds after which a silent reading is taken for lost.
  beforeEach(() => {
    if (++tests % 12 === 4) server.faults.connectionsToSilence++;
  });

  describeEventStore('KurrentDB event store, on that server', async () => {
    server = await startKurrentStandIn();
    server.faults.readingsUntilSilent = 3;
    return openedStore({
      open: () => openKurrentEventStore(server.url, options),
      dropConnections: () => server.dropSubscriptions(),
      close: async () => {
        await server.close();
        // Else it was the contract without the fault.
        expect(server.faults.connectionsToSilence).toBe(0);
      },
    });
  });
});

describeEventStore('KurrentDB event store, on a cluster whose leader was just frozen', async () => {
  const cluster = await startKurrentCluster();
  let losing: Promise<void> | undefined;
  return openedStore({
    open: async () => {
      const store = await openKurrentEventStore(cluster.url, options);
      losing ??= cluster.freezeLeader(1000);
      return store;
    },
    openReader: () => openKurrentEventStore(cluster.url, options),
    close: async () => {
      await losing;
      await cluster.close();
    },
  });
});
