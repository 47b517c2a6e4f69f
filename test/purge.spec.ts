import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { annals } from './support/annals.js';
import { type Client, Homeserver, passwordOf } from './support/homeserver.js';
import { describeWithLogs, LOG_SERVER } from './support/stores.js';

// Servers and commands are started.
vi.setConfig({ testTimeout: 120_000 });

const REMARK = 'an unrepeatable remark';
const room = (roomId: string, more: string): string => `/rooms/${encodeURIComponent(roomId)}/${more}`;

describeWithLogs('rooms that nobody is in', (log) => {
  let server: Homeserver;
  let alice: Client;
  let bob: Client;

  beforeAll(async () => {
    server = await Homeserver.start({ log });
    [alice, bob] = [await server.register('alice'), await server.register('bob')];
  });
  afterAll(() => server.remove());

  async function roomWith(said: number): Promise<string> {
    const roomId = await alice.createRoom({ preset: 'public_chat', name: REMARK });
    await bob.ok('POST', room(roomId, 'join'), {});
    for (let n = 0; n < said; n++) {
      await alice.ok('PUT', room(roomId, `send/m.room.message/${n}`), { msgtype: 'm.text', body: `${REMARK} ${n}` });
    }
    return roomId;
  }

  const purges = async (): Promise<string> => (await annals(server, 'rooms', 'purges')).output;
  const purgeOf = async (roomId: string): Promise<string> =>
    (await purges()).split('\n').find((line) => line.includes(roomId)) ?? '';
  const isGone = async (roomId: string): Promise<void> => {
    await expect.poll(() => purgeOf(roomId), { timeout: 30_000 }).toContain('nothing is left');
    expect((await alice.request('GET', room(roomId, 'state'))).status).toBe(403);
  };

  test('are purged by an operator, the log holds, and no byte of them is left in it where it is embedded', async () => {
    const roomId = await roomWith(5);
    expect((await annals(server, 'rooms', 'purge', roomId)).output).toContain('is in');
    for (const user of [alice, bob]) await user.ok('POST', room(roomId, 'leave'), {});
    expect((await annals(server, 'rooms', 'deserted')).output).toContain(roomId);
    expect((await annals(server, 'rooms', 'purge', roomId)).code).toBe(0);
    await isGone(roomId);
    expect((await annals(server, 'rooms', 'deserted')).output).not.toContain(roomId);
    await server.end();
    if (log === 'LMDB') {
      expect(readFileSync(join(server.directory, 'log', 'data.mdb')).includes('unrepeatable')).toBe(false);
      const { code, output } = await annals(server, 'verify');
      expect([code, output]).toEqual([0, output]);
    }
    server.removeViews();
    await server.start();
    expect((await alice.request('GET', room(roomId, 'state'))).status).toBe(403);
  });

  test('are left alone while they are held', async () => {
    const roomId = await roomWith(1);
    for (const user of [alice, bob]) await user.ok('POST', room(roomId, 'leave'), {});
    expect((await annals(server, 'rooms', 'hold', roomId, '--reason', 'a court wants it')).code).toBe(0);
    expect((await annals(server, 'rooms', 'held')).output).toContain('a court wants it');
    expect((await annals(server, 'rooms', 'purge', roomId)).output).toContain('is held: a court wants it');
    expect((await annals(server, 'rooms', 'release', roomId)).code).toBe(0);
    expect((await annals(server, 'rooms', 'purge', roomId)).code).toBe(0);
    await isGone(roomId);
  });

  test('are purged whole, whenever the server is killed meanwhile, and who was away hears that they are in them no more', async () => {
    const roomId = await roomWith(60);
    const [carol, dave] = [await server.register('carol'), await server.register('dave')];
    await alice.ok('POST', room(roomId, 'invite'), { user_id: carol.userId });
    await dave.ok('POST', room(roomId, 'join'), {});
    await dave.ok('POST', '/logout', {});
    const [{ next_batch: since }, { next_batch: sinceInvited }] = [await bob.sync(), await carol.sync()];
    expect((await annals(server, 'rooms', 'purge', roomId, '--users-leave')).code).toBe(0);
    // While they leave, and then while it goes.
    for (const ms of [200, 3_400]) {
      await delay(ms);
      await server.end('SIGKILL');
      await server.start();
    }
    await isGone(roomId);
    const away = [await bob.sync({ since }), await carol.sync({ since: sinceInvited })];
    for (const { rooms } of away) {
      expect(rooms.leave[roomId].timeline.events).toMatchObject([{ content: { membership: 'leave' } }]);
      expect(JSON.stringify(rooms)).not.toContain('unrepeatable');
    }
    // Who has no device has none that shows it.
    const login = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: 'dave' },
      password: passwordOf('dave'),
    };
    const { body: session } = await server.request('POST', '/_matrix/client/v3/login', { body: login });
    const all = encodeURIComponent(JSON.stringify({ room: { include_leave: true } }));
    const told = await server.request('GET', `/_matrix/client/v3/sync?filter=${all}`, { token: session.access_token });
    expect([told.status, told.body.rooms?.leave]).toEqual([200, undefined]);
    if (log === 'LMDB') {
      await server.end();
      expect((await annals(server, 'verify')).code).toBe(0);
      await server.start();
    }
  });

  test.skipIf(LOG_SERVER !== undefined)('are purged after the time that the operator says, but for some', async () => {
    const [roomId, kept, used] = [await roomWith(1), await roomWith(1), await roomWith(1)];
    for (const each of [roomId, kept]) for (const user of [alice, bob]) await user.ok('POST', room(each, 'leave'), {});
    await server.end();
    server.set({ ANNALS_PURGE_ROOMS_AFTER: '0', ANNALS_PURGE_ROOMS_EXCEPT: `${kept},#nothing:e2e.example` });
    await server.start();
    await isGone(roomId);
    expect(await purges()).not.toContain(kept);
    for (const each of [kept, used]) expect((await alice.request('GET', room(each, 'state'))).status).toBe(200);
  });
});
