import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { registerAdmin, SHARED_SECRET } from './support/admin.js';
import { annals } from './support/annals.js';
import { Client, Homeserver } from './support/homeserver.js';
import { describeWithStores } from './support/stores.js';

// Servers and commands are started.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const room = (roomId: string, more: string): string => `/rooms/${encodeURIComponent(roomId)}/${more}`;

describeWithStores('an account that is opened again', (stores) => {
  let server: Homeserver;
  let admin: string;
  const directory = mkdtempSync(join(tmpdir(), 'annals-reopened-'));
  const backup = join(directory, 'backup');

  beforeAll(async () => {
    server = await Homeserver.start({ ...stores, env: { ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET } });
    admin = await registerAdmin(server);
  });
  afterAll(async () => {
    await server.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  const logIn = async (user: string, password: string): Promise<Client> => {
    const body = { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password };
    const answer = await server.request('POST', '/_matrix/client/v3/login', { body });
    expect([user, answer.status]).toEqual([user, 200]);
    const { user_id: userId, access_token: token, device_id: device } = answer.body;
    return new Client(server, userId, token, device);
  };

  test('says what it says to all, and goes on, whatever ends the server meanwhile, and by the log alone; a back-up of it closes nothing', async () => {
    const [alice, bob] = [await server.register('alice'), await server.register('bob')];
    const roomId = await bob.createRoom({ preset: 'public_chat' });
    const name = `/profile/${encodeURIComponent(alice.userId)}/displayname`;
    await alice.ok('PUT', name, { displayname: 'Ms Before' });
    await alice.ok('POST', room(roomId, 'join'), {});
    await alice.send(roomId, 'before');
    expect((await annals(server, 'users', 'deactivate', 'alice', '--erase')).code).toBe(0);
    await server.end('SIGKILL');
    const stopped = await annals(server, 'users', 'reopen', 'alice', '--generate-password');
    expect([stopped.code, stopped.output]).toEqual([2, expect.stringContaining('not running')]);
    await server.start();
    const { code, output } = await annals(server, 'users', 'reopen', 'alice', '--generate-password');
    expect([code, output]).toEqual([0, expect.stringContaining(`${alice.userId} has an account again`)]);
    expect((await annals(server, 'users', 'reopen', 'alice', '--without-password')).output).toContain(
      'nothing was changed',
    );
    const again = await logIn('alice', output.trim().split(' ').at(-1)!);
    await server.restart('SIGKILL');
    const mail = { threepids: [{ medium: 'email', address: 'alice@mail.example' }] };
    const path = `/_synapse/admin/v2/users/${encodeURIComponent(alice.userId)}`;
    expect((await server.request('PUT', path, { token: admin, body: mail })).body).toMatchObject(mail);
    await again.ok('PUT', name, { displayname: 'Ms After' });
    await again.ok('POST', room(roomId, 'join'), {});
    await again.send(roomId, 'after');
    const carol = await server.register('carol');
    await carol.ok('POST', room(roomId, 'join'), {});

    const told = async (reader: Client): Promise<unknown[]> => {
      const { chunk } = await reader.ok('GET', room(roomId, 'messages?dir=f&limit=100'));
      const messages = (chunk as { type: string; content: { body?: string } }[]).filter(
        ({ type }) => type === 'm.room.message',
      );
      const { displayname } = await reader.ok('GET', name);
      const { joined } = await reader.ok('GET', room(roomId, 'joined_members'));
      return [...messages.map(({ content }) => content.body ?? null), displayname, joined[alice.userId].display_name];
    };
    const check = async (): Promise<void> => {
      const rooms = (await again.ok('GET', '/joined_rooms')).joined_rooms;
      const { deactivated, erased, threepids } = (await server.request('GET', path, { token: admin })).body;
      expect([rooms, deactivated, erased, threepids]).toMatchObject([[roomId], false, false, mail.threepids]);
      expect(await told(bob)).toEqual(['before', 'after', 'Ms After', 'Ms After']);
      expect(await told(carol)).toEqual([null, 'after', 'Ms After', 'Ms After']);
    };
    await check();
    await server.restart('SIGKILL');
    await check();
    expect((await annals(server, 'replay')).code).toBe(0);
    await check();
    await server.end();
    server.removeViews();
    expect((await annals(server, 'verify')).code).toBe(0);
    await server.start();
    await check();
    if (stores.log !== 'LMDB') return;
    expect((await annals(server, 'backup', backup)).code).toBe(0);
    await server.end();
    expect((await annals(server, 'restore', backup, '--replace')).code).toBe(0);
    await server.start();
    await check();
    expect((await annals(server, 'erasures', 'list')).output.trim().split('\n')).toHaveLength(1);
  });
});
