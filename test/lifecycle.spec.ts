import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Homeserver } from './support/homeserver.js';
import { describeWithLogs } from './support/stores.js';

// Each test starts processes, and the first may have to build them.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What is said where the sources are newer than what was built of them. */
const BUILDING = 'annals: building\n';

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs the server with settings until it ends by itself. */
function runToEnd(directory: string, env: Record<string, string>): Promise<Ended> {
  const child = spawn(process.execPath, [join(ROOT, 'apps/start.mjs'), 'homeserver'], {
    cwd: directory,
    env: { PATH: process.env['PATH'], ANNALS_DATA_DIR: join(directory, 'data'), ANNALS_LISTEN: '127.0.0.1:0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return ended(child);
}

function ended(child: ChildProcess): Promise<Ended> {
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve) =>
    child.once('exit', (code) => resolve({ code, output: output.replace(BUILDING, '') })),
  );
}

describe('a wrong configuration', () => {
  let directory: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'annals-config-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it('ends the start with exit code 78 and one line that names the setting', async () => {
    expect(await runToEnd(directory, { ANNALS_LISTEN: 'everywhere' })).toEqual({
      code: 78,
      output: 'annals: ANNALS_LISTEN: must be an address such as 127.0.0.1:8008 or [::1]:8008 (is "everywhere")\n',
    });
    expect(await runToEnd(directory, { ANNALS_NONSENSE: '1' })).toEqual({
      code: 78,
      output: 'annals: ANNALS_NONSENSE: no such setting\n',
    });
  });

  it('is found in annals.yaml too', async () => {
    writeFileSync(join(directory, 'annals.yaml'), 'registration: perhaps\n');
    const { code, output } = await runToEnd(directory, {});
    rmSync(join(directory, 'annals.yaml'));
    expect(code).toBe(78);
    expect(output).toMatch(/^annals: annals\.yaml: registration: must be one of open, token, closed .*\n$/);
  });

  it('names the file that is not there', async () => {
    const { code, output } = await runToEnd(directory, { ANNALS_TLS_CA: join(directory, 'nowhere.pem') });
    expect([code, output]).toEqual([78, expect.stringMatching(/^annals: ANNALS_TLS_CA: .*nowhere.pem: ENOENT.*\n$/)]);
  });

  it('leaves nothing behind', () => {
    expect(existsSync(join(directory, 'data'))).toBe(false);
  });
});

describeWithLogs('the data of a server', (log) => {
  let server: Homeserver;
  const settings = (): Record<string, string> => ({ ...server.settings, ANNALS_DATA_DIR: server.directory });

  beforeAll(async () => {
    server = await Homeserver.start({ log });
    await server.register('alice');
    expect(await server.end()).toBe(0);
  });
  afterAll(() => server.remove());

  it('is not taken for that of another one: exit code 78 and one line that names both', async () => {
    const { code, output } = await runToEnd(tmpdir(), { ...settings(), ANNALS_SERVER_NAME: 'other.example' });
    expect(code).toBe(78);
    expect(output).toMatch(/^annals: ANNALS_SERVER_NAME is other\.example, but .* that of e2e\.example: .*\n$/);
  });

  it('without its log is not taken for that of a new server', async () => {
    const isEmbedded = log === 'LMDB';
    if (isEmbedded) renameSync(join(server.directory, 'log'), join(server.directory, 'away'));
    const elsewhere = `${settings()['ANNALS_EVENT_STORE_NAMESPACE']}-where-nothing-is`;
    const { code, output } = await runToEnd(tmpdir(), { ...settings(), ANNALS_EVENT_STORE_NAMESPACE: elsewhere });
    if (isEmbedded) renameSync(join(server.directory, 'away'), join(server.directory, 'log'));
    expect(code).toBe(78);
    expect(output).toMatch(/^annals: The log in .* is empty, but there are views in .*: restore .*\n$/);
  });

  it('without its signing key gets no other one', async () => {
    renameSync(join(server.directory, 'keys'), join(server.directory, 'away'));
    const { code, output } = await runToEnd(tmpdir(), settings());
    rmSync(join(server.directory, 'keys'), { recursive: true });
    renameSync(join(server.directory, 'away'), join(server.directory, 'keys'));
    expect(code).toBe(78);
    expect(output).toMatch(/^annals: .*signing\.key is missing, .* "annals keys accept"\n$/);
  });

  it('with a key that cannot be read ends the start in one line, which is for people', async () => {
    const path = join(server.directory, 'keys/signing.key');
    const key = readFileSync(path);
    writeFileSync(path, 'no key');
    const { code, output } = await runToEnd(tmpdir(), settings());
    writeFileSync(path, key);
    expect(code).toBe(1);
    expect(output).not.toContain('"stack"');
    expect(output.trim().split('\n')).toEqual([
      expect.stringMatching(/cannot start: .*signing\.key: Not a signing key/),
    ]);
  });

  it('is as it was after all that', async () => {
    await server.start();
    const { status } = await server.request('POST', '/_matrix/client/v3/login', {
      body: { type: 'm.login.password', user: 'alice', password: 'the password of alice' },
    });
    expect(status).toBe(200);
    await server.end();
  });
});

describeWithLogs('a started server', (log) => {
  let server: Homeserver;

  beforeAll(async () => {
    server = await Homeserver.start({ log });
  });
  afterAll(() => server.remove());

  it('is healthy and says where its projections are', async () => {
    const { status, body } = await server.request('GET', '/health');
    expect([status, body.ok, body.errors]).toEqual([200, true, []]);
    expect(body.log.head).toMatch(/^\d{19}$/);
    expect(body.projections.map((one: { name: string }) => one.name)).toContain('timeline');
    expect(new Set(body.projections.map((one: { state: string }) => one.state))).toEqual(new Set(['live']));
  });

  it('counts requests, facts and projections', async () => {
    const { text } = await server.request('GET', '/metrics');
    expect(text).toMatch(
      /^annals_http_request_duration_seconds_count\{method="GET",route="\/health",status="200"\} \d+$/m,
    );
    expect(text).toMatch(/^annals_facts_appended_total \d+$/m);
    const unit = log === 'LMDB' ? 'facts' : 'bytes';
    expect(text).toMatch(new RegExp(`^annals_projection_lag\\{projection="timeline",unit="${unit}"\\} \\d+$`, 'm'));
    expect(text).toMatch(/^nodejs_eventloop_lag_seconds /m);
  });

  it('tells people what it is', async () => {
    const { status, text } = await server.request('GET', '/');
    expect(status).toBe(200);
    expect(text).toContain(server.serverName);
  });

  it('refuses unknown paths and wrong methods in the shape of Matrix', async () => {
    expect(await server.request('GET', '/_matrix/nothing')).toMatchObject({
      status: 404,
      body: { errcode: 'M_UNRECOGNIZED' },
    });
    expect(await server.request('DELETE', '/_matrix/client/versions')).toMatchObject({
      status: 405,
      body: { errcode: 'M_UNRECOGNIZED' },
    });
  });

  it('keeps a second server out of its data', async () => {
    const second = await runToEnd(tmpdir(), { ...server.settings, ANNALS_DATA_DIR: server.directory });
    expect(second.code).toBe(1);
    // Before it has written anything.
    expect(second.output.trim().split('\n')).toEqual([expect.stringMatching(/cannot start: .* another process/)]);
    expect((await server.request('GET', '/health')).status).toBe(200);
  });

  it('says in one line that somebody else listens where it should', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'annals-port-'));
    const { code, output } = await runToEnd(directory, {
      ANNALS_LISTEN: new URL(server.base).host,
      ANNALS_REGISTRATION: 'closed',
    });
    rmSync(directory, { recursive: true });
    expect(code).toBe(1);
    expect(output.trim().split('\n')).toEqual([expect.stringContaining('cannot start: listen EADDRINUSE')]);
    expect(output).not.toContain('"stack"');
  });

  it('drains on SIGTERM: answers what is under way, then exits with 0', async () => {
    const url = new URL(server.base);
    const socket = connect(Number(url.port), url.hostname);
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    // A request whose body is not complete yet when the signal comes.
    const body = '{"type":"m.login.password"}';
    await new Promise((resolve) =>
      socket.write(
        `POST /_matrix/client/v3/login HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 5)}`,
        resolve,
      ),
    );
    await server.request('GET', '/health');
    const began = performance.now();
    const code = server.end('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 200));
    await expect(fetch(`${url.origin}/health`)).rejects.toThrow();
    socket.write(body.slice(5));
    await closed;
    expect(answer).toMatch(/^HTTP\/1\.1 40\d /);
    expect(answer).toContain('"errcode"');
    expect(await code).toBe(0);
    // Nothing waited for the time at which requests are cut off.
    expect(performance.now() - began).toBeLessThan(8000);
  });

  it('starts again where it ended', async () => {
    await server.start();
    expect((await server.request('GET', '/health')).body.ok).toBe(true);
  });

  it('answers those who wait for news at once when it drains', async () => {
    const alice = await server.register('alice');
    const { next_batch: since } = await alice.sync();
    const waiting = alice.sync({ since, timeout: 60_000 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const began = performance.now();
    const code = server.end('SIGTERM');
    // `sync` throws unless it was answered with 200.
    expect((await waiting).next_batch).toEqual(expect.any(String));
    expect(await code).toBe(0);
    expect(performance.now() - began).toBeLessThan(8000);
  });
});

describe('the first start where registration needs a token', () => {
  it('shows no token at a start that fails: the next one would not have it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'annals-token-'));
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, output } = await runToEnd(directory, { ANNALS_LISTEN: `127.0.0.1:${port}` });
    other.close();
    rmSync(directory, { recursive: true });
    expect(code).toBe(1);
    expect(output.trim().split('\n')).toEqual([expect.stringContaining('cannot start: listen EADDRINUSE')]);
  });

  it('shows a token for one account, and only that once', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'annals-token-'));
    const env = { ANNALS_REGISTRATION: 'token' };
    const token = /Registration token for one account, shown only this once: [\w.~-]+/;
    const first = await runUntilListening(directory, env);
    const second = await runUntilListening(directory, env);
    rmSync(directory, { recursive: true });
    expect(first).toMatchObject({ code: 0, output: expect.stringMatching(token) });
    expect(second.code).toBe(0);
    expect(second.output).not.toMatch(token);
  });
});

/** Runs the server until it has said that it listens, then ends it. */
async function runUntilListening(directory: string, env: Record<string, string>): Promise<Ended> {
  const child = spawn(process.execPath, [join(ROOT, 'apps/start.mjs'), 'homeserver'], {
    cwd: directory,
    env: { PATH: process.env['PATH'], ANNALS_DATA_DIR: directory, ANNALS_LISTEN: '127.0.0.1:0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = ended(child);
  child.stdout.on('data', (chunk: Buffer) => {
    if (chunk.toString().includes('listens on')) child.kill('SIGTERM');
  });
  return end;
}
