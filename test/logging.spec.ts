import { connect } from 'node:net';
import { closeSync, openSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Client, Homeserver } from './support/homeserver.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

// More than a pipe holds (64 KB) in lines of 200 bytes.
const REQUESTS = 1000;
const env = { ANNALS_LOG: 'info' };

describe('a server whose log lines nobody takes', () => {
  let server: Homeserver;
  afterEach(() => server.remove());

  async function expectToServe(): Promise<Client> {
    const alice = await server.register('alice');
    const room = await alice.createRoom();
    for (let i = 0; i < REQUESTS; i++) await alice.ok('GET', '/account/whoami');
    await alice.send(room, 'and still it answers');
    expect((await server.request('GET', '/health')).body.ok).toBe(true);
    return alice;
  }

  it.runIf(process.platform === 'linux')('goes on, and ends in order, where the disk is full', async () => {
    const full = openSync('/dev/full', 'w');
    server = await Homeserver.start({ env, stdout: full });
    closeSync(full);
    await expectToServe();
    expect(await server.end('SIGTERM')).toBe(0);
  });

  it('goes on, and ends in order, where the reader of the pipe stands still', async () => {
    server = await Homeserver.start({ env, stdout: 'pipe' });
    server.stdout.pause();
    await expectToServe();
    expect(await server.end('SIGTERM')).toBe(0);
  });

  it('goes on, and ends in order, where the pipe is closed', async () => {
    server = await Homeserver.start({ env, stdout: 'pipe' });
    server.stdout.destroy();
    await expectToServe();
    expect(await server.end('SIGTERM')).toBe(0);
  });
});

it('has no line about a client that goes away in the midst of its request', async () => {
  const server = await Homeserver.start({ stdout: 'pipe' });
  let output = '';
  server.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const { port, hostname } = new URL(server.base);
  const socket = connect(Number(port), hostname);
  const request = 'POST /_matrix/client/v3/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"type":';
  await new Promise((resolve) => socket.write(request, resolve));
  await server.request('GET', '/health');
  socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await server.end()).toBe(0);
  await server.remove();
  expect(output).toBe('');
}, 120_000);
