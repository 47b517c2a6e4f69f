import { spawn } from 'node:child_process';
import { closeSync, cpSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, Homeserver } from './support/homeserver.js';
import { USUAL_LOG } from './support/stores.js';

const START = fileURLToPath(new URL('../apps/start.mjs', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `annals` for a server's data folder, as its operator does in another terminal. */
function annals(server: Homeserver, args: readonly string[], stdin = '', data = server.directory): Promise<Ended> {
  const child = spawn(process.execPath, [START, 'cli', ...args, '--data', data], {
    env: {
      PATH: process.env['PATH'],
      ...server.settings,
    },
  });
  child.stdin.end(stdin);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}

async function logIn(server: Homeserver, user: string, password: string): Promise<number> {
  const identifier = { type: 'm.id.user', user };
  const body = { type: 'm.login.password', identifier, password };
  return (await server.request('POST', '/_matrix/client/v3/login', { body })).status;
}

/** A copy of the data in which one byte of what somebody said is another. */
function tamper(directory: string, said: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'annals-e2e-copy-'));
  for (const folder of ['log', 'keys']) {
    cpSync(join(directory, folder), join(copy, folder), { recursive: true, filter: (path) => !path.endsWith('.sock') });
  }
  const file = join(copy, 'log/data.mdb');
  const bytes = readFileSync(file);
  // The store may have left an earlier copy of the page: all are changed.
  for (let at = bytes.indexOf(said); at >= 0; at = bytes.indexOf(said)) bytes[at]! ^= 1;
  writeFileSync(file, bytes);
  return copy;
}

const isEmbedded = USUAL_LOG === 'LMDB';

describe('annals, the command line', { timeout: 120_000 }, () => {
  let server: Homeserver;
  let alice: Client;
  let room: string;

  beforeAll(async () => {
    server = await Homeserver.start();
    alice = await server.register('alice');
    room = await alice.createRoom({ preset: 'public_chat', name: 'The archive', room_alias_name: 'archive' });
    for (let i = 0; i < 5; i++) await alice.send(room, `for the record ${i}`);
  });
  afterAll(() => server.remove());

  describe('beside a running server', () => {
    test('makes, lists, changes and withdraws tokens by which people register', async () => {
      const tokens = (...args: string[]): Promise<Ended> => annals(server, ['registration-tokens', ...args]);
      const isValid = async (token: string): Promise<boolean> => {
        const path = `/_matrix/client/v1/register/m.login.registration_token/validity?token=${token}`;
        return (await server.request('GET', path)).body.valid;
      };
      expect((await tokens('create', 'summer', '--uses', '3')).out).toBe('summer\n');
      expect(await isValid('summer')).toBe(true);
      expect((await tokens('list')).out).toMatch(/^summer +0 +3 +valid$/m);
      expect((await tokens('update', 'summer', '--uses', '0')).code).toBe(0);
      expect(await isValid('summer')).toBe(false);
      expect((await tokens('update', 'summer')).code).toBe(2);
      expect((await tokens('update', 'summer', '--unlimited', '--expires', '2999-01-01')).code).toBe(0);
      expect((await tokens('list', '--json')).out).toContain('"uses_allowed":null');
      expect((await tokens('delete', 'summer')).code).toBe(0);
      expect([await isValid('summer'), (await tokens('delete', 'winter')).code]).toEqual([false, 1]);
    });

    test('makes a user who can log in at once, and lists the users', async () => {
      const made = await annals(server, ['users', 'create', 'bob', '--admin', '--password-stdin'], 'sesame\n');
      expect(made).toMatchObject({ code: 0, out: '@bob:e2e.example has an account and administers this server\n' });
      expect(await logIn(server, 'bob', 'sesame')).toBe(200);
      const { code, out } = await annals(server, ['users', 'list']);
      expect(code).toBe(0);
      expect(out).toMatch(/^@alice:e2e\.example .*\n@bob:e2e\.example .*administrator$/m);
      const again = await annals(server, ['users', 'create', 'bob', '--generate-password']);
      // Who sets up a server may do it twice, and is shown no password that does not hold.
      expect(again).toMatchObject({ code: 0, out: 'bob: User ID already taken; nothing was changed\n' });
      expect(await logIn(server, 'bob', 'sesame')).toBe(200);
    });

    test('sets a new password, and the sessions of before end', async () => {
      const dora = await server.register('dora', 'first');
      const { code, out } = await annals(server, ['users', 'reset-password', 'dora', '--generate-password']);
      expect(code).toBe(0);
      const password = /^password \(shown this once\): (\S+)$/m.exec(out)?.[1] ?? '';
      expect((await dora.request('GET', '/account/whoami')).status).toBe(401);
      expect(await logIn(server, 'dora', 'first')).toBe(403);
      expect(await logIn(server, 'dora', password)).toBe(200);
    });

    test('deactivates a user, who leaves the rooms', async () => {
      const eve = await server.register('eve');
      await eve.ok('POST', `/join/${encodeURIComponent(room)}`, {});
      expect((await annals(server, ['users', 'deactivate', 'eve', '--erase'])).code).toBe(0);
      expect(await logIn(server, 'eve', 'the password of eve')).toBe(403);
      const joined = async (): Promise<object> =>
        (await alice.ok('GET', `/rooms/${encodeURIComponent(room)}/joined_members`)).joined;
      await expect.poll(joined).not.toHaveProperty('@eve:e2e.example');
    });

    test('tells the history of a room, and its state at a moment', async () => {
      const { code, out } = await annals(server, ['audit', '#archive:e2e.example']);
      expect(code).toBe(0);
      expect(out).toMatch(
        new RegExp(`^ +0 {2}\\S+Z {2}alice \\(${alice.deviceId}\\) created the room \\(version \\d+\\)`),
      );
      expect(out.match(/sent a message \(m\.text, \d+ bytes\)/g)).toHaveLength(5);
      const at = await annals(server, ['audit', room, '--at', '1', '--json']);
      expect(
        at.out
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line).type),
      ).toEqual(['m.room.create', 'm.room.member']);
      expect(await annals(server, ['audit', '!nowhere:e2e.example'])).toMatchObject({
        code: 1,
        err: 'annals: The log has no room !nowhere:e2e.example\n',
      });
    });

    test('verifies the log while it grows', async () => {
      const [verified] = await Promise.all([
        annals(server, ['verify']),
        ...Array.from({ length: 20 }, (_, i) => alice.send(room, `meanwhile ${i}`)),
      ]);
      expect(verified).toMatchObject({ code: 0, out: expect.stringContaining('the log is what was written') });
    });

    test('rebuilds the views while they serve', async () => {
      const path = `/rooms/${encodeURIComponent(room)}/messages?dir=b&limit=50`;
      const eventIds = async (): Promise<string[]> =>
        (await alice.ok('GET', path)).chunk.map((event: { event_id: string }) => event.event_id);
      const before = await eventIds();
      const rebuilt = await annals(server, ['projections', 'rebuild', 'timeline']);
      expect(rebuilt).toMatchObject({ code: 0, out: expect.stringContaining('all the same') });
      const replayed = await annals(server, ['replay']);
      expect(replayed).toMatchObject({ code: 0, out: expect.stringContaining('facts a second') });
      expect(replayed.out).not.toContain('FAIL');
      expect(await eventIds()).toEqual(before);
      expect((await annals(server, ['projections', 'list'])).out).toMatch(/^timeline +live +\d+ +3 /m);
    });

    test('pauses a projection and lets it go on', async () => {
      expect((await annals(server, ['projections', 'pause', 'receipts', '--reason', 'a test'])).code).toBe(0);
      expect((await annals(server, ['projections', 'status', 'receipts'])).out).toMatch(/^paused +a test, /m);
      expect((await annals(server, ['projections', 'resume', 'receipts'])).code).toBe(0);
      expect((await annals(server, ['projections', 'resume', 'nothing'])).code).toBe(1);
    });

    test('finds the server well', async () => {
      const { code, out } = await annals(server, ['doctor']);
      expect(out).toMatch(/^ok {4}server: running/m);
      expect(out).toMatch(/^ok {4}health: /m);
      expect(out).toMatch(/^ok {4}views: \d+ projections, all at the head of the log$/m);
      expect(code).toBe(0);
    });
  });

  describe('on the data of a stopped server', () => {
    beforeAll(async () => {
      expect(await server.end()).toBe(0);
    });

    const tampering = 'names the stream in which one byte was changed, and nothing else is wrong';
    test.skipIf(!isEmbedded)(`${tampering} (in the file of an embedded log)`, async () => {
      const copy = tamper(server.directory, 'for the record 3');
      const { code, out } = await annals(server, ['verify'], '', copy);
      expect(code).toBe(1);
      expect(out).toMatch(
        new RegExp(`^room-${room.replaceAll(/[!.]/g, '\\$&')} revision \\d+: the chain does not hold`, 'm'),
      );
      expect(out).toContain('the content hash does not match');
      rmSync(copy, { recursive: true });
      expect((await annals(server, ['verify'])).code).toBe(0);
    });

    test('does what it does beside a running one', async () => {
      expect((await annals(server, ['users', 'create', 'carol', '--password-stdin'], 'sesame')).code).toBe(0);
      expect((await annals(server, ['projections', 'list'])).err).toContain('the server is not running');
      expect((await annals(server, ['replay'])).code).toBe(0);
      expect((await annals(server, ['doctor'])).out).toMatch(/^ok {4}server: not running$/m);
      await server.start();
      expect(await logIn(server, 'carol', 'sesame')).toBe(200);
    });

    test('is not misled by a server that was killed', async () => {
      await server.end('SIGKILL');
      expect(existsSync(join(server.directory, 'control.sock'))).toBe(true);
      expect((await annals(server, ['users', 'make-admin', 'carol'])).code).toBe(0);
      expect((await annals(server, ['doctor'])).out).toContain('did not end cleanly');
      await server.start();
      expect((await annals(server, ['users', 'list'])).out).toMatch(/^@carol:\S+ .*administrator$/m);
    });
  });

  test('says in one line what is in its way, with exit code 2', async () => {
    const toFile = await annals(server, ['backup', START]);
    const inItsWay = isEmbedded
      ? /^annals: the backup could not be made: EEXIST.*\n$/
      : /^annals: the log is in an event store.*\n$/;
    expect([toFile.code, toFile.out, toFile.err]).toEqual([2, '', expect.stringMatching(inItsWay)]);
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [START, 'cli', 'verify', '--data', server.directory], {
      env: { PATH: process.env['PATH'], ...server.settings },
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    let err = '';
    child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect([code, err]).toEqual([2, expect.stringMatching(/^annals: what was found cannot be written: ENOSPC.*\n$/)]);
  });

  test('says how it is used, with exit code 2', async () => {
    expect(await annals(server, ['nonsense'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('unknown command'),
    });
    expect(await annals(server, ['audit', room, '--at', 'noon'])).toMatchObject({ code: 2 });
  });

  test.skipIf(!isEmbedded)('says that there is no log in a folder (of an embedded log)', async () => {
    expect(await annals(server, ['verify'], '', '/nowhere')).toMatchObject({
      code: 2,
      err: expect.stringContaining('there is no log here'),
    });
  });
});
