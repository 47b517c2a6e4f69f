import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Client, Homeserver } from './support/homeserver.js';
import { describeWithAllStores } from './support/stores.js';

// Servers are started.
vi.setConfig({ testTimeout: 120_000 });

describeWithAllStores('a server whose views are deleted', (stores) => {
  let server: Homeserver;
  let alice: Client;
  let bob: Client;

  beforeAll(async () => {
    server = await Homeserver.start(stores);
    alice = await server.register('alice');
    bob = await server.register('bob');
  });
  afterAll(() => server.remove());

  test('answers the same after a start: tokens, rooms, members, state, pages', async () => {
    await alice.ok('PUT', `/profile/${encodeURIComponent(alice.userId)}/displayname`, { displayname: 'Alice' });
    const room = await alice.createRoom({ preset: 'private_chat', name: 'The usual place', invite: [bob.userId] });
    const path = `/rooms/${encodeURIComponent(room)}`;
    await bob.ok('POST', `${path}/join`, {});
    for (let i = 0; i < 25; i++) await (i % 2 === 0 ? alice : bob).send(room, `message ${i}`);
    const unkind = await bob.send(room, 'unkind words');
    await alice.ok('PUT', `${path}/redact/${encodeURIComponent(unkind)}/r1`, { reason: 'unkind' });
    await alice.ok('PUT', `/user/${encodeURIComponent(alice.userId)}/account_data/org.example`, { a: 1 });

    const look = async (): Promise<unknown[]> => [
      await bob.ok('GET', '/account/whoami'),
      await bob.ok('GET', '/joined_rooms'),
      await bob.ok('GET', `${path}/joined_members`),
      withoutAge(await alice.ok('GET', `${path}/state`)),
      withoutAge(await bob.ok('GET', `${path}/messages?dir=b&limit=50`)),
      withoutAge(await bob.ok('GET', `${path}/messages?dir=f&limit=7`)),
      withoutAge((await alice.sync()).rooms),
      await alice.ok('GET', `/user/${encodeURIComponent(alice.userId)}/account_data/org.example`),
      await alice.send(room, 'sent twice', 'the same transaction'),
    ];
    await alice.send(room, 'sent twice', 'the same transaction');
    const before = await look();
    expect(await server.end()).toBe(0);
    server.removeViews();
    await server.start();
    expect(await look()).toEqual(before);
  });
});

/** `age` is the time since the event: all else must be the same. */
function withoutAge(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, inner: unknown) => (key === 'age' ? undefined : inner)));
}
