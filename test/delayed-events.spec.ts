import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Client, Homeserver, passwordOf } from './support/homeserver.js';
import { describeWithLogs } from './support/stores.js';

// Servers are started.
vi.setConfig({ testTimeout: 120_000 });

const HEARTBEAT_MS = 300;

describeWithLogs('events that are sent later', (log) => {
  let server: Homeserver;
  let alice: Client;
  let room: string;

  beforeAll(async () => {
    server = await Homeserver.start({ log });
    alice = await server.register('alice');
    room = encodeURIComponent(await alice.createRoom());
  });
  afterAll(() => server.remove());

  async function hangUpAfter(ms: number, key: string): Promise<string> {
    const path = `/rooms/${room}/state/a.call/${key}?org.matrix.msc4140.delay=${ms}`;
    return (await alice.ok('PUT', path, { left: true })).delay_id;
  }

  const restart = async (id: string): Promise<void> => {
    const { status } = await server.request('POST', `/_matrix/client/v1/delayed_events/${id}/restart`, { body: {} });
    expect(status).toBe(200);
  };

  async function eventsOf(key: string): Promise<object[]> {
    const { chunk } = await alice.ok('GET', `/rooms/${room}/messages?dir=f&limit=1000`);
    return chunk.filter(({ state_key: stateKey }: { state_key?: string }) => stateKey === key);
  }

  async function untilEnded(id: string): Promise<void> {
    for (;;) {
      const { body } = await server.request('GET', `/_matrix/client/v1/delayed_events/${id}`, { token: alice.token });
      if (body.origin_server_ts !== undefined) return;
      await delay(50);
    }
  }

  it('wait while a client says that it is there, and are sent once it does not', async () => {
    const id = await hangUpAfter(5_000, 'alive');
    for (let i = 0; i < 20; i++) {
      await delay(HEARTBEAT_MS);
      await restart(id);
    }
    expect(await eventsOf('alive')).toEqual([]);
    await untilEnded(id);
    expect(await eventsOf('alive')).toHaveLength(1);
  });

  it('are sent once each, whenever the server is killed, and not before clients can say that they are there', async () => {
    const alive = await hangUpAfter(6_000, 'lives on');
    for (let i = 0; i < 3; i++) {
      const ids = await Promise.all([100, 200, 300, 400].map((ms) => hangUpAfter(ms, `${i} ${ms}`)));
      await delay(100 + 100 * i);
      await server.end('SIGKILL');
      // Longer than the client of the first had said that it is there for.
      await delay(i === 0 ? 6_500 : 0);
      await server.start();
      await restart(alive);
      for (const id of ids) await untilEnded(id);
      for (const ms of [100, 200, 300, 400]) expect(await eventsOf(`${i} ${ms}`)).toHaveLength(1);
    }
    expect(await eventsOf('lives on')).toEqual([]);
    await untilEnded(alive);
    expect(await eventsOf('lives on')).toHaveLength(1);
  });

  it('are gone with the account', async () => {
    const bob = await server.register('bob');
    const path = `/rooms/${room}/send/m.room.message/t?org.matrix.msc4140.delay=60000`;
    const { delay_id: id } = await bob.ok('PUT', path, { msgtype: 'm.text', body: 'never' });
    const auth = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: 'bob' },
      password: passwordOf('bob'),
    };
    const { status } = await bob.request('POST', '/account/deactivate', { auth });
    expect(status).toBe(200);
    for (;;) {
      const answer = await server.request('POST', `/_matrix/client/v1/delayed_events/${id}/send`, { body: {} });
      if (answer.status === 404) break;
      await delay(50);
    }
  });
});
