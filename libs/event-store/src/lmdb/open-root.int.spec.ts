import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { letGoOfLocks } from '#testing/let-go-of-locks';
import { bundleScript } from '#testing/start-script';
import { openLmdbEventStore } from './lmdb-event-store.js';
import { openRoot } from './open-root.js';

const lmdb = JSON.stringify(createRequire(import.meta.url).resolve('lmdb'));
let directory: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'annals-root-'));
  const store = await openLmdbEventStore(directory);
  await store.close();
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

/** What this process has open in the directory. */
function opened(): string[] {
  return readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${name}`);
      return path.startsWith(directory) ? [path] : [];
    } catch {
      return [];
    }
  });
}

async function hold(): Promise<ChildProcess> {
  const text = `require(${lmdb}).open({ path: '.', noSubdir: false, readOnly: true }).get('x'); setInterval(() => {}, 1000); process.stdout.write('held')`;
  const holder = spawn(process.execPath, ['-e', text], { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(holder);
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  return holder;
}

describe.runIf(process.platform === 'linux')('opening a file of LMDB', () => {
  it('waits for others who close it in this moment', async () => {
    const holder = await hold();
    letGoOfLocks(directory);
    // Whatever this process does in between, that one is gone by then.
    spawn('sh', ['-c', `sleep 0.2; kill -9 ${holder.pid}`]);
    const root = openRoot({ path: directory, readOnly: true });
    expect(root.getKeysCount()).toBeGreaterThan(0);
    await root.close();
    expect(opened()).toEqual([]);
  });

  it('is refused where others keep it so, and leaves nothing open', async () => {
    await hold();
    letGoOfLocks(directory);
    expect(() => openRoot({ path: directory, readOnly: true })).toThrow('Invalid argument');
    expect(opened()).toEqual([]);
  });

  it('is done by many at once who close it again, though nobody writes it', async () => {
    const script = await bundleScript('libs/event-store/src/lmdb/endless-opener.ts');
    try {
      let times = 0;
      for (let n = 0; n < 4; n++) {
        const child = spawn(process.execPath, [script.path, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
        children.push(child);
        createInterface({ input: child.stdout }).on('line', () => times++);
      }
      await expect.poll(() => times, { timeout: 60_000, interval: 200 }).toBeGreaterThan(1500);
      expect(children.filter(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null)).toEqual([]);
    } finally {
      for (const child of children) child.kill('SIGKILL');
      await script.remove();
    }
  });

  it('is refused by what the system says, and ends no process, where no more files can be open', async () => {
    const script = await bundleScript('libs/event-store/src/lmdb/crowded-opener.ts');
    try {
      const { status, stdout } = spawnSync('sh', ['-c', 'ulimit -n 100; exec "$0" "$@"', process.execPath, script.path, directory], { encoding: 'utf8' }); // prettier-ignore
      expect([status, JSON.parse(stdout)]).toEqual([0, [...Array<string>(6).fill('EMFILE'), 'opened']]);
    } finally {
      await script.remove();
    }
  });
});
