import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Client, Homeserver, WITHOUT_PRESENCE } from './support/homeserver.js';
import { describeWithAllStores } from './support/stores.js';

// Servers are started.
vi.setConfig({ testTimeout: 120_000 });

describeWithAllStores('following rooms, over HTTP', (stores) => {
  let server: Homeserver;
  let alice: Client;
  let bob: Client;
  let roomId: string;

  beforeAll(async () => {
    server = await Homeserver.start({ ...stores, env: WITHOUT_PRESENCE });
    alice = await server.register('alice');
    bob = await server.register('bob');
    roomId = await alice.createRoom({ preset: 'public_chat' });
    await bob.ok('POST', `/join/${encodeURIComponent(roomId)}`, {});
  });
  afterAll(() => server.remove());

  const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

  // oxlint-disable-next-line typescript/no-explicit-any -- bodies of answers; each test says what it expects of them
  const v1 = async (user: Client, path: string, method = 'GET', body?: unknown): Promise<any> => {
    const url = `/_matrix/client/api/v1${path}${path.includes('?') ? '&' : '?'}access_token=${user.token}`;
    const answer = await server.request(method, url, { body });
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.body;
  };

  const waiting = async (): Promise<number> => {
    const { text } = await server.request('GET', '/_annals/metrics');
    return Number(/^annals_sync_waiting (\d+)$/m.exec(text)?.[1]);
  };

  test('a message reaches who waits with /sync, at once', async () => {
    const { next_batch: since } = await bob.sync();
    const answer = bob.sync({ since, timeout: 30_000 });
    await pause(100);
    const eventId = await alice.send(roomId, 'hello');
    const { timeline } = (await answer).rooms.join[roomId];
    expect(timeline.events).toHaveLength(1);
    expect(timeline.events[0]).toMatchObject({ event_id: eventId, content: { body: 'hello' }, sender: alice.userId });
  });

  test('a message reaches who waits with the event stream of 2014, in the form of then', async () => {
    const { end } = await v1(bob, '/initialSync?limit=1');
    const answer = v1(bob, `/events?from=${end}&timeout=30000`);
    await pause(100);
    const path = `/rooms/${encodeURIComponent(roomId)}/send/m.room.message`;
    const { event_id: eventId } = await v1(alice, path, 'POST', { msgtype: 'm.text', body: 'hello, 2014' });
    const { chunk, start } = await answer;
    expect(start).toBe(end);
    expect(chunk).toHaveLength(1);
    expect(chunk[0]).toMatchObject({ event_id: eventId, room_id: roomId, user_id: alice.userId });
  });

  test('two users talk through both doors, each with the tokens of their own', async () => {
    let { next_batch: since } = await alice.sync();
    let { end: from } = await v1(bob, '/initialSync');
    for (let turn = 0; turn < 5; turn++) {
      await alice.send(roomId, `ping ${turn}`);
      const heard = await v1(bob, `/events?from=${from}&timeout=30000`);
      from = heard.end;
      expect(heard.chunk.map((event: { content: object }) => event.content)).toMatchObject([{ body: `ping ${turn}` }]);
      await bob.send(roomId, `pong ${turn}`);
      from = (await v1(bob, `/events?from=${from}&timeout=30000`)).end;
      const answer = await alice.sync({ since, timeout: 30_000 });
      since = answer.next_batch;
      const bodies = answer.rooms.join[roomId].timeline.events.map(
        (event: { content: { body: string } }) => event.content.body,
      );
      expect(bodies).toEqual([`ping ${turn}`, `pong ${turn}`]);
    }
  });

  test('a client that goes away is waited for no more', async () => {
    const { next_batch: since } = await bob.sync();
    const before = await waiting();
    const gone = new AbortController();
    const url = `${server.base}/_matrix/client/v3/sync?since=${since}&timeout=60000`;
    const request = fetch(url, { headers: { authorization: `Bearer ${bob.token}` }, signal: gone.signal });
    for (let i = 0; i < 100 && (await waiting()) === before; i++) await pause(20);
    expect(await waiting()).toBe(before + 1);
    gone.abort();
    await expect(request).rejects.toThrow();
    for (let i = 0; i < 100 && (await waiting()) > before; i++) await pause(20);
    expect(await waiting()).toBe(before);
  });

  test('a token outlives the process that gave it', async () => {
    const { next_batch: since } = await bob.sync();
    const eventId = await alice.send(roomId, 'before the end');
    await server.end('SIGKILL');
    await server.start();
    const { timeline } = (await bob.sync({ since })).rooms.join[roomId];
    expect(timeline.events.map((event: { event_id: string }) => event.event_id)).toEqual([eventId]);
  });

  test('a server that is told to end answers who waits, and ends in order', async () => {
    const { next_batch: since } = await bob.sync();
    const answer = bob.sync({ since, timeout: 60_000 });
    await pause(200);
    expect(await server.end()).toBe(0);
    expect(await answer).not.toHaveProperty('rooms');
    await server.start();
  });
});
