import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Db, MongoClient } from 'mongodb';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { registerAdmin, SHARED_SECRET } from './support/admin.js';
import { filesWith } from './support/files-with.js';
import { Homeserver } from './support/homeserver.js';
import { describeEmbedded, VIEWS_THERE } from './support/stores.js';

// Servers are started.
vi.setConfig({ testTimeout: 180_000 });

/** Of this no four letters are familiar to the log: where it is kept, it is kept as it is. */
const ADDRESS = 'jwqzvkxpzgfb@qvxkzjwp.example';
const OTHER = 'other@b.example';
const USERS = '/_synapse/admin/v2/users';
const FOUND_BY = '/_synapse/admin/v1/threepid/email/users';

function copyFolder(from: string, to: string): void {
  cpSync(from, to, { recursive: true, filter: (path) => !path.endsWith('.sock') });
}

describeEmbedded('older views that are put back', 'it is looked whether the log has forgotten the address', () => {
  describe.each(VIEWS_THERE)('in %s', (views) => {
    let server: Homeserver;
    afterEach(() => server.remove());

    const withDatabase = async <T>(work: (database: Db) => Promise<T>): Promise<T> => {
      const client = new MongoClient(server.settings['ANNALS_READ_MODELS_URL']!);
      return work(client.db()).finally(() => client.close());
    };

    /** Copies the views of a stopped server. Answers what puts them back. */
    const copyViews = async (): Promise<() => Promise<void>> => {
      const [there, copy] = ['views', 'views-before'].map((name) => join(server.directory, name)) as [string, string];
      if (views === 'LMDB') {
        copyFolder(there, copy);
        return async () => {
          rmSync(there, { recursive: true });
          copyFolder(copy, there);
        };
      }
      const documents = await withDatabase(async (database) => {
        const collections = await database.collections();
        return Promise.all(
          collections.map(async (each) => [each.collectionName, await each.find().toArray()] as const),
        );
      });
      return () =>
        withDatabase(async (database) => {
          for (const each of await database.collections()) await each.deleteMany();
          for (const [name, rows] of documents) if (rows.length > 0) await database.collection(name).insertMany(rows);
        });
    };

    test.each([
      ['', false],
      [', also where the log was put back by hand in between', true],
    ])('find nobody by an address that was unlinked since%s', async (_, isLogPutBack) => {
      server = await Homeserver.start({ views, env: { ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET } });
      const alice = await server.register('alice');
      const token = await registerAdmin(server);
      const setAddresses = async (...addresses: string[]): Promise<void> => {
        const body = { threepids: addresses.map((address) => ({ medium: 'email', address })) };
        expect((await server.request('PUT', `${USERS}/${alice.userId}`, { token, body })).status).toBe(200);
      };
      const findBy = async (address: string): Promise<string | undefined> =>
        (await server.request('GET', `${FOUND_BY}/${address}`, { token })).body.user_id;

      await setAddresses(ADDRESS, OTHER);
      expect(await findBy(ADDRESS)).toBe(alice.userId);
      await server.end();
      const putBack = await copyViews();
      await server.start();
      await setAddresses(OTHER);
      const log = join(server.directory, 'log');
      await expect.poll(() => filesWith(log, ADDRESS), { timeout: 20_000 }).toEqual([]);
      await alice.createRoom({ name: 'What came since' });
      await server.end();
      if (isLogPutBack) {
        const logBefore = join(server.directory, 'log-before');
        copyFolder(log, logBefore);
        await server.start();
        await alice.createRoom({ name: 'What is lost' });
        await server.end();
        rmSync(log, { recursive: true });
        copyFolder(logBefore, log);
        await server.start();
        await server.end();
      }
      await putBack();
      await server.start();
      expect(await findBy(ADDRESS)).toBeUndefined();
      expect(await findBy(OTHER)).toBe(alice.userId);
      expect((await alice.ok('GET', '/joined_rooms')).joined_rooms).toHaveLength(1);
    });
  });
});
