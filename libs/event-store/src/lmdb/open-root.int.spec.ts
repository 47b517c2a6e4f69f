import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
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

function makePipe(path: string): void {
  spawnSync('mkfifo', [path]);
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

  it.each([
    ['data.mdb', 'a folder', mkdirSync, 'data.mdb is no file'],
    ['data.mdb', 'a pipe', makePipe, 'data.mdb is no file'],
    ['lock.mdb', 'a folder', mkdirSync, 'lock.mdb is no file'],
    ['lock.mdb', 'a pipe', makePipe, 'lock.mdb is no file'],
    ['lock.mdb', 'a link to itself', (path: string) => symlinkSync('lock.mdb', path), /ELOOP.*lock\.mdb/],
    ['lock.mdb', 'a link to nothing', (path: string) => symlinkSync('none/lock.mdb', path), /ENOENT.*lock\.mdb/],
  ])('is refused where %s is %s, to write and to read, as log and as views', async (name, _, make, reason) => {
    const path = join(directory, name);
    rmSync(path);
    make(path);
    for (const readOnly of [false, true]) {
      expect(() => openRoot({ path: directory, readOnly })).toThrow(reason);
      await expect(openLmdbEventStore(directory, { readOnly })).rejects.toThrow(reason);
      await expect(openLmdbReadModels(directory, { readOnly })).rejects.toThrow(reason);
    }
    expect(opened()).toEqual([]);
  });

  it('takes away what a process has left there that is gone, and nothing of one that is there', async () => {
    const { pid: gone } = spawnSync('true');
    const { pid: there } = await hold();
    const pids = [gone, there, process.pid, `${gone}-0a1b2c3d`, `${process.pid}-0a1b2c3d`];
    const names = ['data', 'lock'].flatMap((name) => pids.map((pid) => `${name}.mdb.${pid}`));
    for (const name of [...names, 'data.mdb.old']) writeFileSync(join(directory, name), '');
    await openRoot({ path: directory }).close();
    const left = readdirSync(directory).filter((name) => /mdb\./.test(name));
    expect(left.toSorted()).toEqual(['data.mdb.old', `data.mdb.${there}`, `lock.mdb.${there}`].toSorted());
  });

  it.runIf(process.getuid?.() === 0)(
    'leaves alone what another user has left and only they may take away',
    async () => {
      const draft = join(directory, `data.mdb.${spawnSync('true').pid}`);
      writeFileSync(draft, '');
      chmodSync(directory, 0o1777);
      for (const name of ['data.mdb', 'lock.mdb']) chmodSync(join(directory, name), 0o666);
      process.seteuid!(65_534);
      try {
        await openRoot({ path: directory }).close();
      } finally {
        process.seteuid!(0);
      }
      expect(existsSync(draft)).toBe(true);
      await openRoot({ path: directory }).close();
      expect(existsSync(draft)).toBe(false);
    },
  );

  it('leaves alone what has the name of such and is no file, also where both files are made anew', async () => {
    const { pid: gone } = spawnSync('true');
    const names = ['data', 'lock'].flatMap((name) => [gone, process.pid].map((pid) => `${name}.mdb.${pid}`));
    const pipe = `data.mdb.${gone}-0a1b2c3d`;
    for (const name of names) mkdirSync(join(directory, name));
    makePipe(join(directory, pipe));
    for (const name of ['data.mdb', 'lock.mdb']) rmSync(join(directory, name));
    await openRoot({ path: directory }).close();
    const left = readdirSync(directory).filter((name) => /mdb\./.test(name));
    expect(left.toSorted()).toEqual([...names, pipe].toSorted());
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
      await expect.poll(() => times, { interval: 200 }).toBeGreaterThan(1500);
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
