import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { numbersFrom } from '#testing/numbers-from';
import { canMount, onSmallDisk } from '#testing/small-disk';
import { type BundledScript, bundleScript, type StartedScript, startScript } from '#testing/start-script';
import { ViewsNotRenewed } from '../read-model-errors.js';
import type { ReadModelStore, Write } from '../read-model-store.js';
import { ViewsCopier } from './copy-views.js';
import { openLmdbReadModels } from './lmdb-read-model-store.js';

let copier: BundledScript;
let directory: string;
let store: ReadModelStore;

const open = (): Promise<ReadModelStore> => openLmdbReadModels(directory, { copyProgram: copier.path, log: () => {} });
const put = (collection: string, key: string, value: string | null): Write => ({ collection, key: [key], value });
const all = { limit: 100_000 };

beforeAll(async () => {
  copier = await bundleScript('libs/read-models/src/lmdb/copy-views-process.ts');
});
afterAll(() => copier.remove());
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'annals-renewed-'));
  store = await open();
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

async function reopen(): Promise<void> {
  await store.close();
  store = await open();
}

/** Beside the socket of who writes them. */
function foldersIn(path: string): string[] {
  return readdirSync(path).filter((name) => !name.endsWith('.sock'));
}

/** How often something stands in any file of the views, whatever LMDB thinks is there. */
function marks(mark: string): number {
  let count = 0;
  for (const name of readdirSync(directory, { recursive: true }) as string[]) {
    if (!statSync(join(directory, name)).isFile()) continue;
    const bytes = readFileSync(join(directory, name));
    for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1)) count++;
  }
  return count;
}

/** The rows as they have to be. */
class Model {
  readonly #collections = new Map<string, Map<string, string>>();

  write(writes: readonly Write[]): void {
    for (const { collection, key, value } of writes) {
      const rows = this.#collections.get(collection) ?? new Map<string, string>();
      this.#collections.set(collection, rows);
      if (value === null) rows.delete(key[0]!);
      else rows.set(key[0]!, value);
    }
  }

  drop(collection: string): void {
    this.#collections.delete(collection);
  }

  async expectIn(views: ReadModelStore): Promise<void> {
    const filled = [...this.#collections].filter(([, rows]) => rows.size > 0).map(([name]) => name);
    expect(await views.collections()).toEqual(filled.sort());
    for (const name of filled) await this.expectCollection(views, name);
  }

  async expectCollection(views: ReadModelStore, name: string): Promise<void> {
    const rows = [...(this.#collections.get(name) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    expect(await views.scan(name, all)).toEqual(rows.map(([key, value]) => ({ key: [key], value })));
  }
}

describe('views that are renewed', () => {
  it.each([1, 2, 3])('are read as they are while they are written, and collections come and go: %i', async (seed) => {
    const below = numbersFrom(seed);
    const model = new Model();
    const write = async (count: number): Promise<void> => {
      const writes = Array.from({ length: count }, () =>
        put(`c-${below(6)}`, String(below(400)), below(4) === 0 ? null : `${below(1e9)} ${'y'.repeat(below(60) ** 2)}`),
      );
      model.write(writes);
      await store.write(writes);
    };
    for (let n = 0; n < 40; n++) await write(200);
    for (let renewals = 0; renewals < 4; renewals++) {
      const done = new AbortController();
      const renewal = store.renew!().finally(() => done.abort());
      renewal.catch(() => {});
      for (let n = 0; !done.signal.aborted; n++) {
        await write(below(100));
        const name = `c-${below(8)}`;
        if (below(60) === 0) {
          model.drop(name);
          await store.drop(name);
        }
        await model.expectCollection(store, name);
        if (below(10) === 0) await store.flush();
        if (n % 3 === 0) await delay(1);
        else await nextTurn();
      }
      await renewal;
      await model.expectIn(store);
      await write(100);
      if (renewals % 2 === 1) await reopen();
      await model.expectIn(store);
    }
    expect(foldersIn(directory)).toEqual(['renewed-4']);
  });

  it('have nothing left in any file of what was deleted or written over, and give its room back', async () => {
    const mark = 'jwqz vkxp zgfb hrjq';
    for (let n = 0; n < 400; n++) {
      const rows = [put('a', `${n}`, `${n} ${mark} `.repeat(1 + (n % 300))), put('a', `stays-${n}`, 'y'.repeat(n * 5))];
      await store.write([...rows, put('dropped', `${n}`, `${mark}.`)]);
      if (n % 50 === 0) await store.flush();
    }
    await store.flush();
    const gone = Array.from({ length: 400 }, (_, n) => put('a', `${n}`, n % 2 === 0 ? null : `${n} [redacted]`));
    await store.write(gone);
    await store.drop('dropped');
    expect(marks(mark)).toBeGreaterThan(100);
    const before = statSync(join(directory, 'data.mdb')).size;
    const renewal = store.renew!();
    await store.write([put('a', 'meanwhile', 'z'.repeat(5000))]);
    const { bytesBefore, bytesAfter } = await renewal;
    expect(marks(mark)).toBe(0);
    expect(bytesBefore).toBe(before);
    expect(bytesAfter).toBeLessThan(before / 4);
    expect(bytesAfter).toBe(statSync(join(directory, 'renewed-1', 'data.mdb')).size);
    expect(store.renewed).toMatchObject({ bytesBefore, bytesAfter });
    expect(await store.scan('a', all)).toHaveLength(601);
    await reopen();
    expect(await store.get('a', ['1'])).toBe('1 [redacted]');
    expect(marks(mark)).toBe(0);
  });

  it('hold nothing of what was deleted before a call, though a renewal was under way then', async () => {
    const mark = 'kvqx wzjp';
    await store.write([put('a', '1', mark), put('a', '2', 'stays')]);
    await store.flush();
    const first = store.renew!();
    while (!readdirSync(directory).includes('renewal')) await nextTurn();
    await delay(50);
    await store.write([put('a', '1', null)]);
    await store.renew!();
    await first;
    expect(marks(mark)).toBe(0);
    expect(foldersIn(directory)).toEqual(['renewed-2']);
    expect(await store.get('a', ['2'])).toBe('stays');
  });

  it('are as they were where they are closed meanwhile', async () => {
    await store.write(Array.from({ length: 5000 }, (_, n) => put('a', `${n}`, 'x'.repeat(500))));
    await store.flush();
    for (const pause of [0, 30, 60, 90, 120, 150]) {
      const ended = store.renew!().then(
        () => 'renewed',
        (error: unknown) => error,
      );
      await delay(pause);
      await store.write([put('a', 'last', String(pause))]);
      await reopen();
      const outcome = await ended;
      if (outcome !== 'renewed') expect(outcome).toEqual(new ViewsNotRenewed('they are being closed'));
      expect(await store.get('a', ['last'])).toBe(String(pause));
      expect(await store.scan('a', all)).toHaveLength(5001);
      expect(readdirSync(directory)).not.toContain('renewal');
    }
  });

  it('are as they were where the process that copies them fails, or is killed', async () => {
    await store.close();
    await store.close();
    const program = join(directory, 'fails.mjs');
    const programs: [text: string, reason: string][] = [
      ['process.exit(7)', 'ended (7)'],
      ["process.send('ready'); process.once('message', () => process.send('no room is left'))", 'no room is left'],
      ["process.send('ready'); process.once('message', () => process.kill(process.pid, 'SIGKILL'))", 'SIGKILL'],
    ];
    for (const [text, reason] of programs) {
      writeFileSync(program, text);
      store = await openLmdbReadModels(directory, { copyProgram: program });
      await store.write([put('a', 'k', reason)]);
      await expect(store.renew!()).rejects.toThrow(reason);
      await store.write([put('a', 'l', reason)]);
      await store.flush();
      expect(store.failure).toBeUndefined();
      expect(await store.scan('a', all)).toHaveLength(2);
      expect(readdirSync(directory)).toContain('data.mdb');
      expect(readdirSync(directory)).not.toContain('renewal');
      await store.close();
    }
    store = await open();
  });

  it('are opened by no process that was to copy them and did not in time, once they are written again', async () => {
    const [program, ids] = [join(directory, 'late.mjs'), join(directory, 'late.pid')];
    const late = `process.once('message', () => process.send('I am late')); setInterval(() => {}, 1000)`;
    writeFileSync(program, `import fs from 'node:fs'; fs.writeFileSync('${ids}', String(process.pid)); process.send('ready'); ${late}`); // prettier-ignore
    const copying = new ViewsCopier(directory, join(directory, 'renewal'), new AbortController().signal, { program });
    await copying.ready();
    await expect(copying.open()).rejects.toThrow('I am late');
    expect(() => process.kill(Number(readFileSync(ids, 'utf8')), 0)).toThrow('ESRCH');
  });

  it('are as they were where the process that copies them is stopped for ever, and can be renewed again', async () => {
    await store.close();
    const [program, ids] = [join(directory, 'stopped.mjs'), join(directory, 'stopped.pid')];
    const stops = `process.send('opened', () => process.kill(process.pid, 'SIGSTOP'))`;
    writeFileSync(
      program,
      `import fs from 'node:fs'; fs.writeFileSync('${ids}', String(process.pid)); process.send('ready'); process.once('message', () => ${stops}); setInterval(() => {}, 1000)`,
    );
    store = await openLmdbReadModels(directory, { copyProgram: program, copyLookMs: 400 });
    await store.write([put('a', 'k', 'x')]);
    await expect(store.renew!()).rejects.toThrow('gets no further');
    expect(() => process.kill(Number(readFileSync(ids, 'utf8')), 0)).toThrow('ESRCH');
    expect(readdirSync(directory)).not.toContain('renewal');
    await reopen();
    await store.renew!();
    expect(await store.get('a', ['k'])).toBe('x');
  });

  it('are copied for as long as that gets any further', async () => {
    await store.close();
    const program = join(directory, 'slow.mjs');
    const goesOn = `process.send('opened'); setInterval(() => process.send('copying'), 20); setTimeout(() => process.send('no room is left'), 7000)`;
    writeFileSync(program, `process.send('ready'); process.once('message', () => { ${goesOn} })`);
    store = await openLmdbReadModels(directory, { copyProgram: program, copyLookMs: 500 });
    await expect(store.renew!()).rejects.toThrow('no room is left');
    await reopen();
  });

  it('have all that was written while they were copied, however much that is', async () => {
    await store.write(Array.from({ length: 20_000 }, (_, n) => put('a', `${n}`, 'x'.repeat(100))));
    await store.flush();
    const renewal = store.renew!();
    for (let n = 0; n < 12_000; n += 100) {
      await store.write(Array.from({ length: 100 }, (_, i) => put('a', `${n + i}`, n % 200 === 0 ? null : `new ${n}`)));
      if (n % 3000 === 0) await store.flush();
      await delay(1);
    }
    await renewal;
    await reopen();
    const rows = await store.scan('a', all);
    expect(rows).toHaveLength(14_000);
    expect(rows.filter(({ value }) => value.startsWith('new '))).toHaveLength(6000);
  });

  it('are not renewed while more is written than can be kept in mind, and are once it is less', async () => {
    await store.close();
    const program = join(directory, 'waits.mjs');
    const opened = join(directory, 'opened');
    const says = `process.send('opened'); fs.writeFileSync(${JSON.stringify(opened)}, '')`;
    const waits = "setInterval(() => {}, 1000); process.on('disconnect', () => process.exit())";
    writeFileSync(
      program,
      `import fs from 'node:fs'; process.send('ready'); process.once('message', () => { ${says} }); ${waits}`,
    );
    store = await openLmdbReadModels(directory, { copyProgram: program });
    const refused = expect(store.renew!()).rejects.toThrow('more is written than can be kept in mind');
    await expect.poll(() => existsSync(opened)).toBe(true);
    for (let n = 0; n < 210_000; n += 5000)
      await store.write(Array.from({ length: 5000 }, (_, i) => put('a', String(n + i), '')));
    await refused;
    expect(readdirSync(directory)).not.toContain('renewal');
    await reopen();
    await store.renew!();
    expect(await store.scan('a', { limit: 1_000_000 })).toHaveLength(210_000);
  });

  it('are not renewed where their file was deleted, nor by who reads them', async () => {
    await store.write([put('a', 'k', 'x')]);
    await store.flush();
    const reader = await openLmdbReadModels(directory, { readOnly: true });
    await expect(reader.renew!()).rejects.toThrow('not open for writing');
    await reader.close();
    rmSync(directory, { recursive: true });
    await expect(store.renew!()).rejects.toThrow('their file was deleted');
    expect(await store.get('a', ['k'])).toBe('x');
  });

  it('say that they were deleted where that is so of the file that took the place of the first', async () => {
    await store.close();
    store = await openLmdbReadModels(directory, { copyProgram: copier.path, lookMs: 5, log: () => {} });
    await store.write([put('a', 'k', 'x')]);
    await store.renew!();
    await delay(30);
    expect(store.warning).toBeUndefined();
    rmSync(join(directory, 'renewed-1'), { recursive: true });
    await expect.poll(() => store.warning).toBeDefined();
  });
});

describe('renewing views', () => {
  it('leaves whole views of one time, whenever its process is killed', async () => {
    await store.close();
    const renewer = await bundleScript('libs/read-models/src/lmdb/mortal-renewer.ts');
    const steps: string[] = [];
    try {
      for (let step = 1; steps.at(-1) !== 'renewed'; step++) {
        rmSync(directory, { recursive: true, force: true });
        const told = await runToItsEnd(renewer.path, [directory, copier.path, String(step)]);
        steps.push(told.at(-1) ?? 'nothing');
        store = await open();
        const round = Number(await store.get('checkpoint', ['round']));
        expect(round).toBeGreaterThanOrEqual(20);
        for (let i = 0; i < 100; i++) {
          const value = await store.get(`rows-${i % 5}`, [String(i)]);
          const expected = i % 10 === round % 10 ? undefined : `${round} ${'x'.repeat((round * i) % 2000)}`;
          expect([step, i, value]).toEqual([step, i, expected]);
        }
        const left = readdirSync(directory);
        expect(left.includes('data.mdb') ? left : ['data.mdb']).toContain('data.mdb');
        expect(
          left.filter((name) => name === 'renewal' || (name === 'data.mdb' && left.includes('renewed-1'))),
        ).toEqual([]);
        await store.close();
      }
    } finally {
      await renewer.remove();
      store = await open();
    }
    expect(steps.length).toBeGreaterThan(8);
    expect(steps).toContain('renameSync /renewal');
  });

  it('leaves readers in other processes what they have open, and shows others the new file', async () => {
    const readers: StartedScript[] = [];
    const seen: string[][] = [];
    // Nothing is written while a process opens the file: see the README.
    const read = async (...mode: string[]): Promise<void> => {
      const reader = await startScript('libs/read-models/src/lmdb/steady-reader.ts', [directory, ...mode]);
      const lines: string[] = [];
      createInterface({ input: reader.process.stdout! }).on('line', (line) => lines.push(line));
      readers.push(reader);
      seen.push(lines);
      await expect.poll(() => lines.length).toBeGreaterThan(3);
    };
    const write = async (from: number, to: number): Promise<void> => {
      for (let round = from; round <= to; round++) {
        const value = (n: number): string => `${round}:${'x'.repeat((n * 7) % 900)}.`;
        await store.write(Array.from({ length: 300 }, (_, n) => put('rows', `${n}`, value(n))));
        await store.flush();
      }
    };
    try {
      await write(0, 0);
      await read();
      await write(1, 10);
      await store.renew!();
      await read();
      await write(11, 30);
      await expect.poll(() => seen[1]!.at(-1)).toBe('30');
      await read('anew');
      for (let n = 0; n < 4; n++) await store.renew!();
      readers.pop()!.process.kill('SIGKILL');
      await write(31, 40);
      await delay(50);
    } finally {
      for (const reader of readers) await reader.remove();
    }
    for (const lines of seen) expect(lines.filter((line) => !/^\d+$/.test(line))).toEqual([]);
    expect(seen.map((lines) => lines.at(-1))).toEqual(['10', '30', '30']);
    await reopen();
    expect((await store.scan('rows', all)).filter(({ value }) => value.startsWith('40:'))).toHaveLength(300);
  });

  it.runIf(canMount())('is not begun where the disk has too little room, and harms nothing', async () => {
    const script = await bundleScript('libs/read-models/src/lmdb/full-disk-renewer.ts');
    try {
      const { stdout } = onSmallDisk(directory, process.execPath, script.path, directory, copier.path);
      const reason = expect.stringMatching(
        /^there is too little room for a copy: \d+ MB are needed, and \d+ MB are free$/,
      );
      expect(JSON.parse(stdout)).toEqual({ name: 'ViewsNotRenewed', message: reason, said: [], rows: 100, names: [] });
    } finally {
      await script.remove();
    }
  });
});

/** The lines that a script printed until it ended. */
async function runToItsEnd(path: string, args: readonly string[]): Promise<string[]> {
  const { spawn } = await import('node:child_process');
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  await once(child, 'close');
  return lines;
}
