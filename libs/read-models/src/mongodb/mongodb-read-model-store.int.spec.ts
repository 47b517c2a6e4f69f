import { MongoClient } from 'mongodb';
import { describe, it } from 'vitest';
import { describeReadModels } from '../read-model-store.contract.js';
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
  describeReadModels('MongoDB read models', own.href, () => openMongoReadModels(own.href), clear);
}
