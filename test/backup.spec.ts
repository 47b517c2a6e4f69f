import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { annals, annalsWith } from './support/annals.js';
import { type Client, Homeserver } from './support/homeserver.js';
import { keepTalking } from './support/keep-talking.js';
import { describeEmbedded } from './support/stores.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const bodiesOf = (events: readonly { content: { body?: string } }[]): (string | undefined)[] =>
  events.map(({ content }) => content.body);

/** All that was said in a room, newest first. */
async function allSaid(client: Client, room: string): Promise<(string | undefined)[]> {
  const said: (string | undefined)[] = [];
  for (let from = ''; ;) {
    const page = await client.ok('GET', `/rooms/${encodeURIComponent(room)}/messages?dir=b&limit=1000${from}`);
    said.push(...bodiesOf(page.chunk));
    if (page.end === undefined) return said;
    from = `&from=${encodeURIComponent(page.end)}`;
  }
}

describeEmbedded('a backup', 'a server has a way of its own', () => {
  let server: Homeserver;
  let alice: Client;
  let bob: Client;
  let room: string;
  const directory = mkdtempSync(join(tmpdir(), 'annals-backup-'));
  const backup = join(directory, 'monday');
  let acknowledged: string[] = [];
  /** Tokens of what the restored log has, and of what it has lost. */
  let before: string;
  let after: string;
  let lostPage: string;
  /** Versions of Alice's key backup, and an etag of the first, of a time that is lost. */
  let keys = { early: '', lost: '', lostEtag: '' };

  beforeAll(async () => {
    server = await Homeserver.start();
    alice = await server.register('alice');
    bob = await server.register('bob');
    room = await alice.createRoom({ preset: 'public_chat' });
    await bob.ok('POST', `/join/${encodeURIComponent(room)}`, {});
  });
  afterAll(async () => {
    await server.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  const newVersion = async (): Promise<string> =>
    (await alice.ok('POST', '/room_keys/version', { algorithm: 'm.a', auth_data: {} })).version;
  const backUp = async (version: string): Promise<string> => {
    const session = { first_message_index: 0, forwarded_count: 0, is_verified: true, session_data: {} };
    const path = `/room_keys/keys/${encodeURIComponent(room)}/s?version=${version}`;
    return (await alice.ok('PUT', path, session)).etag;
  };

  test('is made while the server works, and is whole when it is there', async () => {
    const talk = keepTalking(room, { a: alice, b: bob, c: alice, d: bob });
    await talk.hasSaid(100);
    before = (await bob.sync()).next_batch;
    keys = { ...keys, early: await newVersion() };
    acknowledged = [...talk.said];
    const { code, output } = await annals(server, 'backup', backup);
    await talk.end();
    expect([code, output]).toEqual([0, expect.stringContaining('the log of e2e.example up to position')]);
    expect(talk.said.length).toBeGreaterThan(acknowledged.length);
    expect(readdirSync(directory)).toEqual(['monday']);
    expect(readdirSync(join(backup, 'log'))).toEqual(['data.mdb']);
    expect(statSync(join(backup, 'keys/signing.key')).mode & 0o777).toBe(0o600);
  });

  test('is never written over', async () => {
    const { code, output } = await annals(server, 'backup', backup);
    expect([code, output]).toEqual([1, expect.stringContaining('is not empty')]);
  });

  test('is not restored over a running server, nor over data unless that is meant', async () => {
    await alice.send(room, 'lost');
    keys = { ...keys, lostEtag: await backUp(keys.early), lost: await newVersion() };
    after = (await bob.sync()).next_batch;
    lostPage = (await bob.ok('GET', `/rooms/${encodeURIComponent(room)}/messages?dir=b&limit=1`)).end;
    const running = await annals(server, 'restore', backup, '--replace');
    expect([running.code, running.output]).toEqual([1, expect.stringContaining('the server is running')]);
    await server.end('SIGKILL');
    const meant = await annals(server, 'restore', backup);
    expect([meant.code, meant.output]).toEqual([1, expect.stringContaining('--replace')]);
  });

  test('that was damaged is not restored, and nothing is touched', async () => {
    const path = join(backup, 'log/data.mdb');
    const bytes = readFileSync(path);
    writeFileSync(
      path,
      Buffer.concat([bytes.subarray(0, 5000), Buffer.from([bytes[5000]! ^ 1]), bytes.subarray(5001)]),
    );
    const { code, output } = await annals(server, 'restore', backup, '--replace');
    writeFileSync(path, bytes);
    expect([code, output]).toEqual([1, expect.stringContaining('the backup is damaged')]);
    expect(existsSync(join(server.directory, 'views'))).toBe(true);
  });

  test('whose restoration was killed midway lets no new server begin meanwhile; the next try is a whole one', async () => {
    const killer = join(directory, 'killer.mjs');
    // Before anything takes the place of what has been set aside.
    writeFileSync(
      killer,
      `import fs from 'node:fs';
       import { syncBuiltinESMExports } from 'node:module';
       const { renameSync } = fs;
       fs.renameSync = (from, to) => {
         if (from.includes('restoring-')) process.kill(process.pid, 'SIGKILL');
         renameSync(from, to);
       };
       syncBuiltinESMExports();`,
    );
    const killed = await annalsWith({ NODE_OPTIONS: `--import=${killer}` }, server, 'restore', backup, '--replace');
    expect(killed.code).toBe(null);
    expect(existsSync(join(server.directory, 'log'))).toBe(false);
    const begun = await annals(server, 'users', 'create', 'eve', '--generate-password');
    expect([begun.code, begun.output]).toEqual([78, expect.stringContaining('was interrupted: run it again')]);
    expect(existsSync(join(server.directory, 'log'))).toBe(false);
  });

  test('brings back every event that was acknowledged before it was begun, and the log verifies', async () => {
    const { code, output } = await annals(server, 'restore', backup, '--replace');
    expect([code, output]).toEqual([0, expect.stringContaining('the log of e2e.example as of')]);
    expect(readdirSync(server.directory).filter((name) => name.startsWith('restoring-'))).toEqual([]);
    await server.start();
    const said = await allSaid(alice, room);
    expect(acknowledged.filter((body) => !said.includes(body))).toEqual([]);
    expect(said).not.toContain('lost');
    expect((await annals(server, 'verify')).output).toContain('the log is what was written');
  });

  test('gives no version of a key backup, and no etag, a name that clients know of one that is lost', async () => {
    expect((await alice.ok('GET', '/room_keys/version')).version).toBe(keys.early);
    expect(await backUp(keys.early)).not.toBe(keys.lostEtag);
    expect((await alice.request('GET', `/room_keys/version/${keys.lost}`)).status).toBe(404);
    const version = await newVersion();
    expect(Number(version)).toBeGreaterThan(Number(keys.lost));
    await backUp(version);
    await alice.ok('DELETE', `/room_keys/version/${version}`);
    expect(await alice.ok('GET', '/room_keys/version')).toMatchObject({ version: keys.early, count: 1 });
  });

  test('leaves clients where they can go on: what is new after it passes nobody by, whatever token they hold', async () => {
    for (let i = 0; i < 5; i++) await alice.send(room, `new ${i}`);
    const fresh = ['new 0', 'new 1', 'new 2', 'new 3', 'new 4'];
    for (const since of [before, after]) {
      const { timeline } = (await bob.sync({ since, filter: '{"room":{"timeline":{"limit":500}}}' })).rooms.join[room];
      expect(bodiesOf(timeline.events).slice(-5)).toEqual(fresh);
    }
    const path = `/rooms/${encodeURIComponent(room)}/messages?dir=f&limit=50`;
    for (const from of [after, lostPage]) {
      const page = await bob.ok('GET', `${path}&from=${encodeURIComponent(from)}`);
      expect(bodiesOf(page.chunk)).toEqual(expect.arrayContaining(fresh));
    }
    const stream = await bob.ok('GET', `/events?from=${encodeURIComponent(after)}&timeout=0`);
    expect(bodiesOf(stream.chunk)).toEqual(expect.arrayContaining(fresh));
    expect((await server.request('GET', '/health')).status).toBe(200);
  });
});
