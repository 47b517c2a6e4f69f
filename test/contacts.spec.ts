import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { FakeIdentityServer, IDENTITY_AUTHORITY } from '#testing/fake-identity-server';
import { type Client, Homeserver } from './support/homeserver.js';
import { describeWithStores } from './support/stores.js';

// Servers are killed and started.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const DOORS = {
  2015: '/_matrix/client/api/v1/contacts',
  today: '/_matrix/client/unstable/dev.annals.contacts',
} as const;

describeWithStores('an address book', (stores) => {
  let server: Homeserver;
  let identity: FakeIdentityServer;
  let alice: Client;
  let count = 0;

  beforeAll(async () => {
    identity = await FakeIdentityServer.start();
    server = new Homeserver({
      ...stores,
      env: { ANNALS_TLS_CA: 'authority.pem', ANNALS_IDENTITY_PRIVATE_SERVERS: identity.name },
    });
    writeFileSync(join(server.directory, 'authority.pem'), IDENTITY_AUTHORITY.certificate);
    await server.start();
  });
  afterAll(async () => {
    await server.remove();
    await identity.close();
  });
  beforeEach(async () => {
    alice = await server.register(`alice${++count}`);
    identity.bindings.clear();
    identity.policies = {};
  });

  const call = (method: string, path: string, body?: object): ReturnType<Homeserver['request']> =>
    server.request(method, path, { token: alice.token, body });

  test.each(['2015', 'today'] as const)(
    'says through the door of %s who is on Matrix, by an identity server that is told nobody, and keeps it over a kill',
    async (door) => {
      const book = DOORS[door];
      const contacts = [
        { name: 'Bob', threepids: [{ medium: 'email', address: 'Bob@Example.ORG' }] },
        { name: 'Eve', threepids: [{ medium: 'msisdn', address: '+49 30 1234567' }] },
      ];
      expect((await call('PUT', `${book}/t1`, { contacts })).status).toBe(200);
      identity.bindings.set('bob@example.org email', '@bob:b.example');
      const asked = { id_server: identity.name };
      const { status, body } = await call('POST', `${book}/lookup`, asked);
      const match = { medium: 'email', address: 'bob@example.org', user_id: '@bob:b.example', by: identity.name };
      expect([status, body]).toEqual([200, { matches: [match], limited: false }]);
      expect(identity.grants.at(-1)).toMatchObject({ token_type: 'Bearer', matrix_server_name: server.serverName });
      expect(identity.sessions).toBe(0);
      const told = JSON.stringify([identity.lookedUp, identity.paths]);
      for (const plain of ['bob', 'example', '4930']) expect(told).not.toContain(plain);
      await server.end('SIGKILL');
      await server.start();
      const people = async (): Promise<unknown> => (await call('GET', book)).body.chunk;
      const bob = expect.objectContaining({ name: 'Bob', user_ids: ['@bob:b.example'], matches: [match] }) as unknown;
      expect(await people()).toContainEqual(bob);
      identity.bindings.clear();
      expect((await call('PUT', `${book}/lookup/t2`, asked)).body).toEqual({ matches: [], limited: false });
      expect(JSON.stringify(await people())).not.toContain('@bob:b.example');
      expect((await call('GET', `${book}/vcard`)).text).toContain('EMAIL:bob@example.org');
    },
  );

  test('is looked up by no server that may not be asked, nor while its terms are not accepted', async () => {
    const book = DOORS.today;
    await call('POST', book, { contacts: [{ threepids: [{ medium: 'email', address: 'bob@example.org' }] }] });
    const port = identity.name.split(':')[1];
    const seen = identity.paths.length;
    for (const [named, status] of [
      [undefined, 400],
      ['https://id.example', 400],
      [`127.0.0.1:${port}`, 502],
      [`[::1]:${port}`, 502],
    ] as const) {
      const answer = await call('POST', `${book}/lookup`, { id_server: named });
      expect([named, answer.status]).toEqual([named, status]);
    }
    expect(identity.paths).toHaveLength(seen);
    identity.policies = { privacy: { version: '1', en: { name: 'Privacy', url: 'https://id.example/privacy' } } };
    const refused = await call('POST', `${book}/lookup`, { id_server: identity.name });
    expect(refused).toMatchObject({ status: 403, body: { errcode: 'M_TERMS_NOT_SIGNED' } });
    expect(identity.sessions).toBe(0);
  });
});
