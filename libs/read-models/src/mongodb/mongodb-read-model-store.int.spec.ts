import { MongoClient } from 'mongodb';
import { describe, it } from 'vitest';
import { withLease } from '#testing/with-lease';
import { describeLease } from '../lease.contract.js';
import { describeReadModels } from '../read-model-store.contract.js';
import type { ReadModelStore } from '../read-model-store.js';
import { openMongoReadModels } from './mongodb-read-model-store.js';

const url = process.env['ANNALS_READ_MODELS_URL'];

if (url === undefined || !url.startsWith('mongodb')) {
  describe('MongoDB read models', () => {
    it.skip('are tested where ANNALS_READ_MODELS_URL names a MongoDB, for example mongodb://127.0.0.1:27017/', () => {});
  });
} else {
  const own = new URL(url);
  own.pathname = `/annals-contract-${process.pid}`;
  const clear = async (): Promise<void> => {
    const client = await new MongoClient(own.href).connect();
    await client.db().dropDatabase();
    await client.close();
  };
  const open = async (): Promise<ReadModelStore> => withLease(await openMongoReadModels(own.href));
  describeReadModels('MongoDB read models', own.href, open, clear);
  describeLease('MongoDB read models', () => openMongoReadModels(own.href), clear);
}
