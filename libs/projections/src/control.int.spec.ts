import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectControl } from './control-client.js';
import { type ControlServer, startControlServer } from './control-server.js';

let directory: string;
let servers: ControlServer[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'annals-control-'));
  servers = [];
});

afterEach(async () => {
  for (const server of servers) await server.close();
  rmSync(directory, { recursive: true });
});

async function start(path: string): Promise<void> {
  servers.push(
    await startControlServer(path, {
      echo: (request) => ({ name: request.name }),
      fail: () => {
        throw new Error('it cannot be done');
      },
      nothing: async () => undefined,
    }),
  );
}

describe('the control socket', () => {
  it('answers what is asked, in order, on one connection', async () => {
    const path = join(directory, 'control.sock');
    await start(path);
    const client = await connectControl(path);
    expect(await client?.call({ method: 'echo', name: 'timeline\n' })).toEqual({ name: 'timeline\n' });
    expect(await client?.call({ method: 'nothing' })).toBeNull();
    client?.close();
  });

  it('tells why it refuses, and goes on', async () => {
    const path = join(directory, 'control.sock');
    await start(path);
    const client = await connectControl(path);
    await expect(client?.call({ method: 'fail' })).rejects.toThrow('it cannot be done');
    await expect(client?.call({ method: 'constructor' })).rejects.toThrow('No such method: constructor');
    expect(await client?.call({ method: 'nothing' })).toBeNull();
    client?.close();
  });

  it('is for its owner only', async () => {
    const path = join(directory, 'control.sock');
    await start(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('is found under a path that is too long for a socket', async () => {
    const long = join(directory, 'd'.repeat(120));
    mkdirSync(long);
    await start(join(long, 'control.sock'));
    const client = await connectControl(join(long, 'control.sock'));
    expect(await client?.call({ method: 'nothing' })).toBeNull();
    client?.close();
  });

  it('is not shared by two servers, but taken over from one that crashed', async () => {
    const path = join(directory, 'control.sock');
    writeFileSync(path, 'left behind');
    await start(path);
    await expect(start(path)).rejects.toThrow('another server runs in this data directory');
  });

  it('is given up where somebody listens and says nothing: the kernel takes connections for a process that is stopped', async () => {
    const path = join(directory, 'control.sock');
    const silent = createServer().listen(path);
    await once(silent, 'listening');
    await expect(connectControl(path, 50)).rejects.toThrow('it says nothing for 0.05 s');
    silent.close();
  });

  it('has nobody behind it when no server runs', async () => {
    expect(await connectControl(join(directory, 'control.sock'))).toBeUndefined();
  });
});
