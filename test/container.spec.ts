import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** A user that no file of the system knows. */
const USER = 48_991;

/** As launchers of containers do it: the root read-only, nothing to execute in /tmp, no capabilities, only the data writable. */
const CONFINE = `
set -e
mount --make-rprivate /
mount --bind "$ROOT" /mnt
mount --bind "$DATA" "/mnt/$PLACE"
mount -o remount,bind,ro /mnt
mount -o remount,bind,ro /
mount -t tmpfs -o noexec,nosuid,nodev tmpfs /tmp
cd /mnt
exec setpriv --reuid ${USER} --regid ${USER} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
`;

/** Only root may make such a place; where it cannot be made, there is nothing to try. */
function canConfine(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const probe = 'mount --make-rprivate / && mount -t tmpfs tmpfs /tmp && setpriv --reuid 1 --clear-groups true';
  return spawnSync('unshare', ['--mount', 'sh', '-c', probe]).status === 0;
}

describe.runIf(canConfine())('a server in the confines of a container', () => {
  // A folder of the installation to mount the data on: /mnt is read-only by then.
  const place = 'docs';
  let data: string;
  let server: ChildProcess;
  let output = '';

  const env = {
    PATH: process.env['PATH'],
    ROOT,
    PLACE: place,
    ANNALS_SERVER_NAME: 'e2e.example',
    ANNALS_DATA_DIR: `/mnt/${place}`,
    ANNALS_LISTEN: '127.0.0.1:0',
    ANNALS_REGISTRATION: 'open',
  };
  const confined = (args: readonly string[]): ChildProcess =>
    spawn('unshare', ['--mount', 'bash', '-c', CONFINE, 'confine', process.execPath, 'apps/start.mjs', ...args], {
      env: { ...env, DATA: data },
      stdio: ['ignore', 'pipe', 'pipe'],
    });

  async function annals(...args: string[]): Promise<{ code: number | null; out: string }> {
    const child = confined(['cli', ...args]);
    let out = '';
    child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (out += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, out };
  }

  beforeAll(async () => {
    // What is to be built is built before: nothing can be, in there.
    spawnSync(process.execPath, [join(ROOT, 'apps/start.mjs'), 'cli', '--help']);
    data = mkdtempSync(join(tmpdir(), 'annals-container-'));
    chownSync(data, USER, USER);
    server = confined(['homeserver']);
    server.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    server.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await vi.waitFor(() => expect(output).toContain('listens on'), { timeout: 60_000, interval: 50 });
  });
  afterAll(() => {
    server.kill('SIGKILL');
    rmSync(data, { recursive: true });
  });

  it('starts as a user that nobody knows, and writes to its data alone', async () => {
    const address = /listens on (http:\/\/[\d.:]+)/.exec(output)?.[1];
    expect(((await (await fetch(`${address}/health`)).json()) as { ok: boolean }).ok).toBe(true);
    expect(existsSync(join(data, 'log/data.mdb'))).toBe(true);
    expect(statSync(join(data, 'log')).uid).toBe(USER);
  });

  it('is given users by a command beside it, which may be run again', async () => {
    const create = ['users', 'create', 'alice', '--generate-password'];
    expect(await annals(...create)).toMatchObject({ code: 0, out: expect.stringContaining('@alice:e2e.example') });
    expect(await annals(...create)).toMatchObject({ code: 0, out: expect.stringContaining('User ID already taken') });
  });

  it('reloads and ends by its signals, as the first process of the container', async () => {
    server.kill('SIGHUP');
    await vi.waitFor(() => expect(output).toContain('"msg":"reloaded'), 60_000);
    server.kill('SIGTERM');
    expect((await once(server, 'exit'))[0]).toBe(0);
  });
});
