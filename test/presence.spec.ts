import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Client, Homeserver } from './support/homeserver.js';
import { describeWithStores } from './support/stores.js';

const V1 = '/_matrix/client/api/v1';

describeWithStores('presence of a server that is killed', (stores) => {
  let server: Homeserver;
  let alice: Client;
  let bob: Client;
  let carol: Client;

  const statusPath = ({ userId }: Client): string => `/presence/${encodeURIComponent(userId)}/status`;
  const eventsOf = async (since?: string): Promise<{ events: { sender: string; content: object }[]; next: string }> => {
    const query = `set_presence=offline&timeout=0${since === undefined ? '' : `&since=${since}`}`;
    const { presence, next_batch: next } = await carol.ok('GET', `/sync?${query}`);
    return { events: presence.events, next };
  };

  beforeAll(async () => {
    server = await Homeserver.start(stores);
    alice = await server.register('alice');
    bob = await server.register('bob');
    carol = await server.register('carol');
    const room = await alice.createRoom({ preset: 'public_chat' });
    for (const one of [bob, carol]) await one.ok('POST', `/join/${encodeURIComponent(room)}`, {});
  });
  afterAll(() => server.remove());

  test('is told anew as it is now, with who hides, what they say and when they were seen', async () => {
    await alice.ok('PUT', statusPath(alice), { presence: 'online', status_msg: 'in the pub' });
    await bob.ok('PUT', `${V1}${statusPath(bob)}`, { presence: 'hidden' });
    const { events, next } = await eventsOf();
    const before = events.find(({ sender }) => sender === alice.userId);
    expect(before).toMatchObject({ content: { presence: 'online', status_msg: 'in the pub' } });
    const seen = (await carol.ok('GET', statusPath(bob))).last_active_ago;

    await server.end('SIGKILL');
    await server.start();
    await bob.ok('GET', '/sync?timeout=0');
    const away = await carol.ok('GET', statusPath(alice));
    expect(away).toEqual({ presence: 'offline', status_msg: 'in the pub', last_active_ago: expect.any(Number) });
    const hidden = await carol.ok('GET', statusPath(bob));
    expect([hidden.presence, hidden.last_active_ago >= seen]).toEqual(['offline', true]);
    expect((await bob.ok('GET', `${V1}${statusPath(bob)}`)).presence).toBe('hidden');

    await alice.ok('GET', '/sync?timeout=0');
    const told = await eventsOf(next);
    expect(told.events.map(({ sender }) => sender)).toEqual([alice.userId]);
    expect(told.events[0]).toMatchObject({ content: { presence: 'online', status_msg: 'in the pub' } });
    expect((await eventsOf(told.next)).events).toEqual([]);
  });
});
