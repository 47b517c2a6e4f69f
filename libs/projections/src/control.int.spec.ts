import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectControl } from './control-client.js';
import { type ControlServer, ControlStream, startControlServer } from './control-server.js';

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

describe('what the control socket answers bit by bit', () => {
  const startStream = async (parts: () => AsyncIterable<unknown>): Promise<string> => {
    const path = join(directory, 'control.sock');
    const methods = { stream: () => new ControlStream(parts()), after: () => 'goes on' };
    servers.push(await startControlServer(path, methods));
    return path;
  };
  const readAll = async (parts: AsyncIterable<unknown>): Promise<unknown[]> => {
    const all: unknown[] = [];
    for await (const part of parts) all.push(part);
    return all;
  };

  it('comes in parts, behind which the connection goes on', async () => {
    const path = await startStream(async function* () {
      yield* [{ n: 1 }, null, 'three'];
    });
    const client = (await connectControl(path))!;
    expect(await readAll(client.stream({ method: 'stream' }))).toEqual([{ n: 1 }, null, 'three']);
    expect(await client.call({ method: 'after' })).toBe('goes on');
    client.close();
  });

  it('ends with the reason where it fails halfway', async () => {
    const path = await startStream(async function* () {
      yield 1;
      throw new Error('the store is away');
    });
    const client = (await connectControl(path))!;
    await expect(readAll(client.stream({ method: 'stream' }))).rejects.toThrow('the store is away');
    expect(await client.call({ method: 'after' })).toBe('goes on');
    client.close();
  });

  it('waits for who reads it, and ends once they go away', async () => {
    let given = 0;
    let hasEnded = false;
    const path = await startStream(async function* () {
      try {
        for (;;) {
          given++;
          yield 'x'.repeat(100_000);
        }
      } finally {
        hasEnded = true;
      }
    });
    const client = (await connectControl(path))!;
    for await (const part of client.stream({ method: 'stream' })) {
      expect(part).toHaveLength(100_000);
      break;
    }
    // What sockets hold is some megabytes at most.
    await delay(200);
    const before = given;
    await delay(200);
    expect([given, given < 200]).toEqual([before, true]);
    client.close();
    await expect.poll(() => hasEnded).toBe(true);
  });
});
