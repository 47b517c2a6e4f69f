import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { GATEWAY_AUTHORITY, PushGateway, pusherAt } from '#testing/push-gateway';
import { type Client, Homeserver } from './support/homeserver.js';
import { describeWithStores } from './support/stores.js';

// Servers are killed and started.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

describeWithStores('push', (stores) => {
  let server: Homeserver;
  let gateway: PushGateway;
  let alice: Client;
  let bob: Client;
  let room: string;

  beforeAll(async () => {
    server = new Homeserver({
      ...stores,
      env: { ANNALS_TLS_CA: 'authority.pem', ANNALS_PUSH_PRIVATE_GATEWAYS: '127.0.0.1' },
    });
    writeFileSync(join(server.directory, 'authority.pem'), GATEWAY_AUTHORITY.certificate);
    await server.start();
    [alice, bob] = [await server.register('alice'), await server.register('bob')];
    room = await bob.createRoom({ preset: 'public_chat' });
    await alice.ok('POST', `/join/${encodeURIComponent(room)}`, {});
  });
  afterAll(() => server.remove());
  beforeEach(async () => {
    gateway = await PushGateway.start();
    await alice.ok('POST', '/pushers/set', pusherAt(gateway.url));
    return () => gateway.close();
  });

  const kill = async (): Promise<void> => {
    await server.end('SIGKILL');
    await server.start();
  };
  const send = async (text: string): Promise<string> => bob.send(room, text);
  const read = (eventId: string): Promise<unknown> =>
    alice.ok('POST', `/rooms/${encodeURIComponent(room)}/receipt/m.read/${encodeURIComponent(eventId)}`, {});

  test('tells a gateway of what is said, and that nothing is unread once it is read', async () => {
    const eventId = await send('hello');
    await expect.poll(() => gateway.events).toEqual([eventId]);
    expect(gateway.unread).toBe(1);
    await read(eventId);
    await expect.poll(() => gateway.unread).toBe(0);
  });

  test('of a killed process is done by the next one: what no gateway had yet, with the number that /sync tells', async () => {
    const before = await send('before');
    await read(before);
    // The gateway does not answer: the server is killed while it is being told.
    let isAsked = false;
    gateway.answer = () => {
      isAsked = true;
      return { status: 503, after: new Promise(() => {}) };
    };
    const first = await send('one');
    await expect.poll(() => isAsked).toBe(true);
    const second = await send('two');
    await server.end('SIGKILL');
    gateway.answer = () => ({});
    await server.start();
    await expect.poll(() => gateway.events.filter((id) => id !== before)).toEqual([first, second]);
    expect(gateway.unread).toBe(2);
    const filter = encodeURIComponent(JSON.stringify({ room: { timeline: { limit: 1 } } }));
    const { rooms } = await alice.ok('GET', `/sync?filter=${filter}`);
    expect(rooms.join[room].unread_notifications.notification_count).toBe(2);
    await read(second);
    await expect.poll(() => gateway.unread).toBe(0);
  });

  test('does not tell again after a kill what was read meanwhile', async () => {
    const told = await send('told');
    await expect.poll(() => gateway.events).toEqual([told]);
    await read(told);
    await expect.poll(() => gateway.unread).toBe(0);
    await kill();
    const next = await send('next');
    await expect.poll(() => gateway.events).toContain(next);
    expect(gateway.events).toEqual([told, next]);
    await read(next);
  });

  test('owes a gateway that is away the newest of what is unread, by the log', async () => {
    gateway.answer = () => ({ status: 502 });
    for (const text of ['one', 'two']) await send(text);
    const newest = await send('three');
    // No fact waits for it any more.
    const waiting = async (): Promise<string | undefined> =>
      /annals_effect_waiting\{effect="push"\} (\d+)/.exec((await server.request('GET', '/metrics')).text)?.[1];
    await expect.poll(waiting).toBe('3');
    await expect.poll(waiting).toBe('0');
    await server.end('SIGKILL');
    gateway.answer = () => ({});
    await server.start();
    await expect.poll(() => gateway.events).toContain(newest);
    expect(gateway.unread).toBe(3);
    await read(newest);
  });
});
