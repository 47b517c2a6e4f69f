import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Client, Homeserver } from './support/homeserver.js';
import { describeWithStores } from './support/stores.js';

const ROOM = encodeURIComponent('!room:e2e.example');
const key = (n: number): object => ({
  first_message_index: 0,
  forwarded_count: 0,
  is_verified: true,
  session_data: { ciphertext: `key ${n}` },
});

describeWithStores('a key backup', (stores) => {
  let server: Homeserver;
  let alice: Client;

  beforeAll(async () => {
    server = await Homeserver.start(stores);
    alice = await server.register('alice');
  });
  afterAll(() => server.remove());

  const keysFrom = (from: number, count: number): object => ({
    sessions: Object.fromEntries(Array.from({ length: count }, (_, n) => [`s${from + n}`, key(from + n)])),
  });

  test('holds what was put into it and answered, over kills, and counts it', async () => {
    const body = { algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2', auth_data: { public_key: 'k' } };
    const { version } = await alice.ok('POST', '/room_keys/version', body);
    const path = `/room_keys/keys/${ROOM}?version=${version}`;
    for (let round = 0; round < 3; round++) {
      const answer = await alice.ok('PUT', path, keysFrom(round * 300, 300));
      expect(answer).toEqual({ count: (round + 1) * 300, etag: String(round + 1) });
      await server.end('SIGKILL');
      await server.start();
      // Again, as a client does that was told nothing: it changes nothing.
      expect(await alice.ok('PUT', path, keysFrom(round * 300, 300))).toEqual(answer);
    }
    expect(Object.keys((await alice.ok('GET', path)).sessions)).toHaveLength(900);
    expect(await alice.ok('GET', '/room_keys/version')).toMatchObject({ version, count: 900, etag: '3' });
    expect(await alice.ok('DELETE', `/room_keys/keys/${ROOM}/s7?version=${version}`)).toEqual({
      count: 899,
      etag: '4',
    });
    await alice.ok('DELETE', `/room_keys/version/${version}`);
    await server.end('SIGKILL');
    await server.start();
    expect((await alice.request('GET', path)).status).toBe(404);
    expect((await alice.ok('POST', '/room_keys/version', body)).version).not.toBe(version);
  }, 120_000);
});
