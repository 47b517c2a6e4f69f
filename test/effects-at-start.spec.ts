import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { Homeserver } from './support/homeserver.js';

const START = fileURLToPath(new URL('../apps/start.mjs', import.meta.url));

// Servers and a command are started.
vi.setConfig({ testTimeout: 120_000 });

test('what was left to be done is done at the first try: nothing begins before the server can give commands', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'annals-lines-'));
  const lines = join(folder, 'lines');
  const file = openSync(lines, 'a');
  const server = await Homeserver.start({ stdout: file });
  try {
    const alice = await server.register('alice');
    const frank = await server.register('frank');
    const roomId = encodeURIComponent(await alice.createRoom({ preset: 'public_chat' }));
    await frank.ok('POST', `/rooms/${roomId}/join`, {});
    await server.end();
    const args = [START, 'cli', 'users', 'deactivate', 'frank', '--data', server.directory];
    const env = { PATH: process.env['PATH'], ...server.settings };
    const annals = spawn(process.execPath, args, { env, stdio: 'ignore' });
    expect(await new Promise((resolve) => annals.once('exit', resolve))).toBe(0);

    await server.start();
    const members = async (): Promise<string[]> =>
      Object.keys((await alice.ok('GET', `/rooms/${roomId}/joined_members`)).joined);
    await expect.poll(members).toEqual([alice.userId]);
    expect(readFileSync(lines, 'utf8')).not.toContain('tried again');
  } finally {
    await server.remove();
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
});
