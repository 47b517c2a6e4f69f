import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Homeserver } from './support/homeserver.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const tools = mkdtempSync(join(tmpdir(), 'annals-signals-'));
const told = join(tools, 'told');
afterAll(() => rmSync(tools, { recursive: true }));

/** What stands in for systemd's program: it notes what it is told, by whom. */
function installNotify(): void {
  mkdirSync(join(tools, 'bin'));
  const path = join(tools, 'bin', 'systemd-notify');
  writeFileSync(path, `#!/bin/sh\necho "$@" >> '${told}'\n`);
  chmodSync(path, 0o755);
}

describe('a server under a service manager', () => {
  let server: Homeserver;
  let output = '';
  const yaml = (text: string): void => writeFileSync(join(server.directory, 'annals.yaml'), text);
  const lines = (): string[] => (existsSync(told) ? readFileSync(told, 'utf8').trim().split('\n') : []);

  beforeAll(async () => {
    installNotify();
    server = new Homeserver({
      stdout: 'pipe',
      // The file says the level, so that a reload can change it.
      env: {
        ANNALS_LOG: '',
        NOTIFY_SOCKET: '/run/nowhere',
        PATH: `${join(tools, 'bin')}:${process.env['PATH'] ?? ''}`,
      },
    });
    yaml('log: warn\n');
    await server.start();
    server.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  });
  afterAll(() => server.remove());

  it('says when it is ready, naming its process', async () => {
    await vi.waitFor(() => expect(lines()).toEqual([`--pid=${server.pid} READY=1`]), 60_000);
  });

  it('rereads its configuration on SIGHUP and goes on', async () => {
    await server.request('GET', '/_matrix/client/versions');
    expect(output).toBe('');
    yaml('log: info\nregistration: closed\n');
    server.signal('SIGHUP');
    await vi.waitFor(() => expect(output).toContain('"msg":"reloaded'), 60_000);
    // What cannot be changed while it runs is named; here nothing is, for the environment sets the other one.
    expect(output).toContain('"waiting":[]');
    await server.request('GET', '/_matrix/client/versions');
    await vi.waitFor(() => expect(output).toContain('"route":"/_matrix/client/versions"'), 60_000);
    expect(lines().slice(1)).toEqual([
      expect.stringMatching(/^--pid=\d+ RELOADING=1 MONOTONIC_USEC=\d+$/),
      `--pid=${server.pid} READY=1`,
    ]);
  });

  it('keeps what it has where the new configuration is wrong, and says why in one line', async () => {
    output = '';
    yaml('log: loud\n');
    server.signal('SIGHUP');
    await vi.waitFor(
      () => expect(output).toMatch(/"msg":"not reloaded: annals\.yaml: log: must be one of [^"]*/),
      60_000,
    );
    expect(output.trim().split('\n')).toHaveLength(1);
    expect((await server.request('GET', '/health')).body.ok).toBe(true);
  });

  it('opens no debugger on SIGUSR1', async () => {
    server.signal('SIGUSR1');
    await new Promise((resolve) => setTimeout(resolve, 500));
    await expect(fetch('http://127.0.0.1:9229/json/version')).rejects.toThrow();
    expect((await server.request('GET', '/health')).body.ok).toBe(true);
  });

  it('says that it stops', async () => {
    expect(await server.end('SIGTERM')).toBe(0);
    expect(lines().at(-1)).toMatch(/ STOPPING=1$/);
  });
});

it.each(['SIGTERM', 'SIGINT'] as const)('ends with 0 on %s also where it has only begun to start', async (signal) => {
  // It reads its settings through a pipe, and so waits there for this test.
  const settings = join(tools, `${signal}.yaml`);
  execFileSync('mkfifo', [settings]);
  const start = fileURLToPath(new URL('../apps/start.mjs', import.meta.url));
  const child = spawn(process.execPath, [start, 'homeserver'], {
    env: { PATH: process.env['PATH'], ANNALS_CONFIG: settings, ANNALS_DATA_DIR: join(tools, 'data') },
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  const opened = () => openSync(settings, constants.O_WRONLY | constants.O_NONBLOCK);
  const pipe = await vi.waitFor(opened, { timeout: 110_000, interval: 20 });
  child.kill(signal);
  // A signal that ends the process does so at once.
  await new Promise((resolve) => setTimeout(resolve, 200));
  closeSync(pipe);
  expect(await ended).toEqual([0, null]);
  expect(existsSync(join(tools, 'data'))).toBe(false);
});
