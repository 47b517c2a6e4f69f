import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { open } from 'lmdb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openBesideWriter } from '#event-store/lmdb/open-beside-writer';
import { type BundledScript, bundleScript, startScript } from '#testing/start-script';
import { describeReadModels } from '../read-model-store.contract.js';
import type { Write } from '../read-model-store.js';
import { openLmdbReadModels } from './lmdb-read-model-store.js';

const directory = mkdtempSync(join(tmpdir(), 'annals-views-'));
const clear = (): void => rmSync(directory, { recursive: true, force: true });
let copier: BundledScript;
beforeAll(async () => {
  copier = await bundleScript('libs/read-models/src/lmdb/copy-views-process.ts');
});
afterAll(async () => {
  clear();
  await copier.remove();
});

describeReadModels(
  'LMDB read models',
  directory,
  async () => openLmdbReadModels(directory, { copyProgram: copier.path }),
  async () => clear(),
);

const write: Write = { collection: 'a', key: ['k'], value: 'one' };

describe('openLmdbReadModels', () => {
  const file = join(directory, 'data.mdb');
  beforeEach(clear);

  const fill = async (): Promise<void> => {
    const store = await openLmdbReadModels(directory);
    await store.write([write]);
    await store.close();
  };

  const expectFreshStart = async (reason: string): Promise<void> => {
    const said: string[] = [];
    const store = await openLmdbReadModels(directory, { log: (message) => said.push(message) });
    expect(said).toEqual([expect.stringContaining('will be rebuilt from the log')]);
    expect(said[0]).toContain(reason);
    expect(await store.collections()).toEqual([]);
    await store.write([write]);
    await store.close();
  };

  it('makes a folder that nobody else of the machine may look into', async () => {
    const made = join(directory, 'new');
    await (await openLmdbReadModels(made)).close();
    expect(statSync(made).mode & 0o077).toBe(0);
    rmSync(made, { recursive: true });
  });

  const storedRound = async (readOnly: boolean): Promise<number> => {
    const store = await openLmdbReadModels(directory, { readOnly });
    try {
      return Number(await store.get('checkpoint', ['round']));
    } finally {
      await store.close();
    }
  };

  it('throws away a file that is none of LMDB’s, and says so', async () => {
    await fill();
    writeFileSync(file, 'something else entirely'.repeat(1000));
    await expectFreshStart('no file of LMDB');
  });

  it('throws away a file that holds something else, and says so', async () => {
    const foreign = open({ path: directory });
    await foreign.put('theirs', 1);
    await foreign.close();
    await expectFreshStart('its format is unknown');
  });

  it('starts anew where the file is empty', async () => {
    await fill();
    truncateSync(file, 0);
    const store = await openLmdbReadModels(directory);
    expect(await store.collections()).toEqual([]);
    await store.close();
  });

  it('says nothing and keeps everything otherwise', async () => {
    await fill();
    const said: string[] = [];
    const store = await openLmdbReadModels(directory, { log: (message) => said.push(message) });
    expect(await store.get('a', ['k'])).toBe('one');
    expect(said).toEqual([]);
    await store.close();
  });

  it('throws away nothing where too many others read it', async () => {
    await fill();
    rmSync(join(directory, 'lock.mdb'));
    const only = `import { open } from 'lmdb';
      const root = open({ path: process.argv[1], noSubdir: false, maxReaders: 1, readOnly: true });
      root.useReadTransaction();
      console.log('reads');
      setInterval(() => {}, 1000);`;
    const reader = spawn(process.execPath, ['--input-type=module', '--eval', only, directory]);
    await once(reader.stdout, 'data');
    await expect(openLmdbReadModels(directory)).rejects.toThrow('MDB_READERS_FULL');
    reader.kill('SIGKILL');
    await once(reader, 'exit');
    const store = await openLmdbReadModels(directory);
    expect(await store.get('a', ['k'])).toBe('one');
    await store.close();
  });

  it('lets a reader see what is committed, and write nothing', async () => {
    await expect(openLmdbReadModels(directory, { readOnly: true })).rejects.toThrow('There are no views');
    const writer = await openLmdbReadModels(directory);
    await writer.write([write]);
    await writer.flush();
    const reader = await openLmdbReadModels(directory, { readOnly: true });
    expect(await reader.get('a', ['k'])).toBe('one');
    await writer.write([{ collection: 'b', key: ['k'], value: 'two' }]);
    await writer.flush();
    await expect.poll(() => reader.collections()).toEqual(['a', 'b']);
    expect(await reader.scan('b', { limit: 5 })).toEqual([{ key: ['k'], value: 'two' }]);
    expect(await reader.get('c', ['k'])).toBeUndefined();
    await expect(reader.write([write])).rejects.toThrow('not open for writing');
    await expect(reader.drop('a')).rejects.toThrow('not open for writing');
    await reader.close();
    await writer.close();
  });

  it('is written by one process at a time', async () => {
    const writer = await openLmdbReadModels(directory);
    await expect(openLmdbReadModels(directory)).rejects.toThrow('written by another process');
    await writer.close();
    await (await openLmdbReadModels(directory)).close();
  });

  it('has nothing reach the file while somebody opens it, and is read meanwhile', async () => {
    const writer = await openLmdbReadModels(directory);
    await writer.write([write]);
    await writer.flush();
    let isThere = false;
    let flushed: Promise<void> | undefined;
    const writeAndLook = async (): Promise<void> => {
      await writer.write([{ collection: 'a', key: ['l'], value: 'two' }]);
      flushed = writer.flush().then(() => void (isThere = true));
      await delay(150);
      expect(isThere).toBe(false);
      expect(await writer.get('a', ['l'])).toBe('two');
    };
    await openBesideWriter(directory, { open: writeAndLook, close: async () => {} });
    await flushed;
    await writer.close();
  });

  it('has what is written reach the file before the next one opens it, and is closed however many do', async () => {
    const writer = await openLmdbReadModels(directory);
    await writer.write([write]);
    await writer.flush();
    const reader = await openLmdbReadModels(directory, { readOnly: true });
    const over = new AbortController();
    let opened = 0;
    const openers: Promise<void>[] = [];
    const writeAndLook = async (): Promise<void> => {
      const number = String(++opened);
      if (opened > 3) return delay(20);
      if (opened > 1) await expect.poll(() => reader.get('a', ['l'])).toBe(String(opened - 1));
      await writer.write([{ collection: 'a', key: ['l'], value: number }]);
      // The others have asked meanwhile.
      await delay(150);
    };
    for (let i = 0; i < 3; i++)
      openers.push(
        (async () => {
          while (!over.signal.aborted) await openBesideWriter(directory, { open: writeAndLook, close: async () => {} });
        })(),
      );
    await expect.poll(() => opened).toBeGreaterThan(6);
    const closed = await Promise.race([
      writer.close().then(() => 'closed'),
      delay(60_000, 'still open', { ref: false }),
    ]);
    over.abort();
    await Promise.all(openers);
    await reader.close();
    expect(closed).toBe('closed');
  });

  it('goes on, and says so once, where the views are deleted while they are open', async () => {
    const said: string[] = [];
    const store = await openLmdbReadModels(directory, { log: (message) => said.push(message), lookMs: 5 });
    await store.write([write]);
    await store.flush();
    expect(store.warning).toBeUndefined();
    clear();
    while (store.warning === undefined) await delay(5);
    await store.write([{ collection: 'a', key: ['l'], value: 'two' }]);
    await store.flush();
    await delay(30);
    expect(await store.scan('a', { limit: 5 })).toHaveLength(2);
    expect(said).toEqual([expect.stringContaining('the next start rebuilds them')]);
    await store.close();
    const next = await openLmdbReadModels(directory);
    expect(await next.collections()).toEqual([]);
    await next.close();
  });

  it('does not delete what a reader cannot read', async () => {
    await fill();
    writeFileSync(file, 'something else entirely'.repeat(1000));
    await expect(openLmdbReadModels(directory, { readOnly: true })).rejects.toThrow();
    expect(existsSync(file) && readFileSync(file, 'utf8').startsWith('something else')).toBe(true);
  });

  it('lets the process exit in the middle of its writes', async () => {
    const { process: writer, remove } = await startScript('libs/read-models/src/endless-writer.ts', [directory]);
    writer.stdout!.resume();
    await expect.poll(() => storedRound(true)).toBeGreaterThan(0);
    writer.kill('SIGTERM');
    const [code] = (await once(writer, 'exit')) as [number | null];
    await remove();
    expect(code).toBe(0);
    expect(await storedRound(false)).toBeGreaterThan(0);
  });

  it('gives dropped collections back to the file when it is opened again', async () => {
    await fill();
    const store = await openLmdbReadModels(directory);
    await store.drop('a');
    await store.close();
    await (await openLmdbReadModels(directory)).close();
    const root = open({ path: directory, readOnly: true });
    expect(root.getKeysCount()).toBe(0);
    await root.close();
  });
});
