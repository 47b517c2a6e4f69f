import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { annals } from './support/annals.js';
import { filesWith } from './support/files-with.js';
import { type Client, Homeserver } from './support/homeserver.js';
import { describeEmbedded, describeWithStores } from './support/stores.js';

// Servers and commands are started.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const SECRET = 'unmistakable';
const room = (roomId: string, more: string): string => `/rooms/${encodeURIComponent(roomId)}/${more}`;

describeEmbedded('somebody who is erased', 'bytes that are erased go from a server by its own means', () => {
  let server: Homeserver;
  let bob: Client;
  let roomId: string;
  const directory = mkdtempSync(join(tmpdir(), 'annals-erasure-'));
  const backup = join(directory, 'before');

  beforeAll(async () => {
    server = await Homeserver.start();
    bob = await server.register('bob');
    roomId = await bob.createRoom({ preset: 'public_chat', name: 'Kitchen' });
  });
  afterAll(async () => {
    await server.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Says and keeps what is to be nowhere; answers the URI of what they uploaded. */
  async function comeAndTalk(name: string): Promise<{ user: Client; media: string }> {
    const user = await server.register(name);
    await user.ok('PUT', `/profile/${encodeURIComponent(user.userId)}/displayname`, {
      displayname: `${SECRET} ${name}`,
    });
    await bob.ok('POST', room(roomId, 'invite'), { user_id: user.userId });
    await user.ok('POST', room(roomId, 'join'), {});
    const first = await user.ok('PUT', room(roomId, `send/m.room.message/${name}1`), {
      msgtype: 'm.text',
      body: SECRET,
    });
    await user.ok('PUT', room(roomId, `send/m.room.message/${name}2`), {
      msgtype: 'm.text',
      body: `* ${SECRET}`,
      'm.new_content': { msgtype: 'm.text', body: `${SECRET} again` },
      'm.relates_to': { rel_type: 'm.replace', event_id: first.event_id },
    });
    await user.ok('PUT', `/user/${encodeURIComponent(user.userId)}/account_data/org.example`, { kept: SECRET });
    await user.ok(
      'PUT',
      `/user/${encodeURIComponent(user.userId)}/rooms/${encodeURIComponent(roomId)}/tags/u.${SECRET}`,
      {},
    );
    const uploaded = await fetch(`${server.base}/_matrix/media/v3/upload?filename=${SECRET}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.token}`, 'content-type': 'text/plain' },
      body: `a ${SECRET} text of ${name}`,
    });
    const { content_uri: media } = (await uploaded.json()) as { content_uri: string };
    await user.ok('PUT', room(roomId, `send/m.room.message/${name}3`), { msgtype: 'm.file', body: SECRET, url: media });
    return { user, media };
  }

  const told = async (): Promise<string> =>
    JSON.stringify(await bob.ok('GET', room(roomId, 'messages?dir=b&limit=100')));
  const findsSecret = async (): Promise<number> => {
    const search = { search_categories: { room_events: { search_term: SECRET } } };
    return (await bob.ok('POST', '/search', search)).search_categories.room_events.count;
  };

  test('is in no file of the data folder, byte by byte: not in the log, nor the views, nor the media, before a replay nor after', async () => {
    const { user, media } = await comeAndTalk('alice');
    expect((await annals(server, 'backup', backup)).code).toBe(0);
    expect(filesWith(server.directory, SECRET).length).toBeGreaterThan(2);
    const dry = await annals(server, 'users', 'erase', 'alice', '--dry-run');
    expect([dry.code, dry.output]).toEqual([0, expect.stringContaining('would go: messages (3)')]);
    expect(await told()).toContain(SECRET);
    const asked = await annals(server, 'users', 'erase', 'alice');
    expect([asked.code, asked.output]).toEqual([2, expect.stringContaining('--yes')]);

    const { code, output } = await annals(server, 'users', 'erase', 'alice', '--yes');
    expect([code, output]).toEqual([0, expect.stringContaining(`${user.userId} is erased`)]);
    for (const line of ['removed: messages (3)', 'removed: media (1)', 'removed: account-data'])
      expect(output).toContain(line);
    expect(await told()).not.toContain(SECRET);
    expect(await findsSecret()).toBe(0);
    const path = `/_matrix/client/v1/media/download/${media.slice('mxc://'.length)}`;
    expect((await server.request('GET', path, { token: bob.token })).status).toBe(404);
    await expect.poll(() => filesWith(server.directory, SECRET), { timeout: 20_000 }).toEqual([]);

    expect((await annals(server, 'replay')).code).toBe(0);
    expect(filesWith(server.directory, SECRET)).toEqual([]);
    expect(await told()).not.toContain(SECRET);
    await server.end();
    const verified = await annals(server, 'verify');
    expect([verified.code, verified.output]).toEqual([0, verified.output]);
    server.removeViews();
    await server.start();
    expect(await told()).not.toContain(SECRET);
    expect(await findsSecret()).toBe(0);
    expect(filesWith(server.directory, SECRET)).toEqual([]);
  });

  test('is not there again for long where a back-up of before is put in its place', async () => {
    expect(filesWith(backup, SECRET).length).toBeGreaterThan(0);
    expect(existsSync(join(server.directory, 'erasures.jsonl'))).toBe(true);
    await server.end();
    const restored = await annals(server, 'restore', backup, '--replace');
    expect([restored.code, restored.output]).toEqual([0, expect.stringContaining('1 erasure of')]);
    for (const name of readdirSync(server.directory).filter((each) => each.startsWith('replaced-')))
      rmSync(join(server.directory, name), { recursive: true });
    await server.start();
    await expect
      .poll(async () => (await annals(server, 'erasures', 'list', '--status')).output, { timeout: 60_000 })
      .toMatch(/done again: .*messages \(3\)/);
    expect(await told()).not.toContain(SECRET);
    expect((await annals(server, 'users', 'list')).output).toMatch(/alice.*erased/);
    await expect.poll(() => filesWith(join(server.directory, 'log'), SECRET), { timeout: 20_000 }).toEqual([]);
    expect(filesWith(join(server.directory, 'media'), SECRET)).toEqual([]);
  });

  test('is told to a log that has no such list: by the file that "list" wrote', async () => {
    const list = join(directory, 'list.jsonl');
    const { output } = await annals(server, 'erasures', 'list');
    expect(output.trim().split('\n')).toHaveLength(1);
    writeFileSync(list, output);
    await server.end();
    expect((await annals(server, 'restore', backup, '--replace')).code).toBe(0);
    rmSync(join(server.directory, 'erasures.jsonl'));
    const applied = await annals(server, 'erasures', 'apply', list);
    expect([applied.code, applied.output]).toEqual([0, expect.stringContaining('1 erasure noted')]);
    await server.start();
    await expect.poll(told, { timeout: 60_000 }).not.toContain(SECRET);
    const running = await annals(server, 'erasures', 'apply', list);
    expect([running.code, running.output]).toEqual([0, expect.stringContaining('0 erasures ordered')]);
  });

  test('goes whole, whenever the server is killed meanwhile', async () => {
    const { user } = await comeAndTalk('carol');
    for (let n = 0; n < 60; n++)
      await user.ok('PUT', room(roomId, `send/m.room.message/c${n}`), { msgtype: 'm.text', body: `${SECRET} ${n}` });
    const erasing = annals(server, 'users', 'erase', 'carol', '--yes');
    const list = join(server.directory, 'erasures.jsonl');
    await expect.poll(() => readFileSync(list, 'utf8'), { timeout: 60_000, interval: 5 }).toContain('carol');
    for (const ms of [30, 300]) {
      await delay(ms);
      await server.end('SIGKILL');
      await server.start();
    }
    expect((await erasing).code).not.toBe(0);
    await expect
      .poll(async () => (await annals(server, 'erasures', 'list', '--status')).output, { timeout: 90_000 })
      .toMatch(/carol.*messages \(63\)/);
    expect(await told()).not.toContain(SECRET);
    await server.end();
    expect((await annals(server, 'verify')).code).toBe(0);
    await server.start();
    expect(filesWith(join(server.directory, 'log'), SECRET)).toEqual([]);
  });
});

describeWithStores('somebody who is erased', (stores) => {
  let server: Homeserver;
  beforeAll(async () => {
    server = await Homeserver.start(stores);
  });
  afterAll(() => server.remove());

  test('is read by nobody any more, and no view has anything of it; the operator is told what the stores do', async () => {
    const [dave, bob] = [await server.register('dave'), await server.register('bob')];
    const roomId = await bob.createRoom({ preset: 'public_chat' });
    const name = { displayname: `${SECRET} Dave` };
    await dave.ok('PUT', `/profile/${encodeURIComponent(dave.userId)}/displayname`, name);
    await dave.ok('POST', room(roomId, 'join'), {});
    for (const n of [1, 2])
      await dave.ok('PUT', room(roomId, `send/m.room.message/${n}`), { msgtype: 'm.text', body: SECRET });
    await dave.ok('PUT', `/user/${encodeURIComponent(dave.userId)}/account_data/org.example`, { kept: SECRET });
    const { code, output } = await annals(server, 'users', 'erase', 'dave', '--yes');
    expect([code, output]).toEqual([0, expect.stringContaining('removed: messages (2)')]);
    expect(output.includes('the event store only withholds what was erased')).toBe(stores.log !== 'LMDB');
    expect(output.includes('the views are on a server')).toBe(stores.views === 'MongoDB');
    const told = async (): Promise<string> =>
      JSON.stringify(await bob.ok('GET', room(roomId, 'messages?dir=b&limit=100')));
    expect(await told()).not.toContain(SECRET);
    const search = { search_categories: { room_events: { search_term: SECRET } } };
    expect((await bob.ok('POST', '/search', search)).search_categories.room_events.count).toBe(0);
    // The rows are those that are made of what the log says now.
    expect((await annals(server, 'replay')).code).toBe(0);
    await server.end();
    server.removeViews();
    await server.start();
    expect(await told()).not.toContain(SECRET);
    expect((await annals(server, 'verify')).code).toBe(0);
  });
});
