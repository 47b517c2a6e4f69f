import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeEventStore } from '../event-store.contract.js';
import { openLmdbEventStore } from './lmdb-event-store.js';

const directory = () => mkdtemp(join(tmpdir(), 'annals-log-'));

describeEventStore('LMDB event store', async () => {
  const path = await directory();
  let store = await openLmdbEventStore(path);
  return {
    get store() {
      return store;
    },
    reopen: async () => {
      await store.close();
      store = await openLmdbEventStore(path);
    },
    openReader: () => openLmdbEventStore(path, { readOnly: true }),
    close: async () => {
      await store.close();
      await rm(path, { recursive: true });
    },
  };
});
