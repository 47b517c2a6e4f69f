import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open as openRaw } from 'lmdb';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { letGoOfLocks } from '#testing/let-go-of-locks';
import { type BundledScript, bundleScript } from '#testing/start-script';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import type { Write } from '#read-models/read-model-store';
import type { EventStore } from '../event-store.js';
import { LogDamaged, LogOfAnotherVersion } from '../event-store-errors.js';
import { sealFacts } from '../seal-facts.js';
import { findDamage, LONGEST_LOOK } from './find-damage.js';
import { openLmdbEventStore } from './lmdb-event-store.js';

const require = createRequire(import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'annals-damage-'));
const log = join(folder, 'log');
const views = join(folder, 'views');
const PAGE = 4096;
const NEEDLE = 'needle 500 ';
let program: BundledScript;

const write = async (store: EventStore, stream: string, text: string): Promise<unknown> => {
  const fact = { id: randomUUID(), type: 'said', data: JSON.stringify(text), at: 1, actor: 'server' };
  return store.append(stream, 'no-stream', sealFacts(undefined, [fact]));
};

beforeAll(async () => {
  program = await bundleScript('libs/event-store/src/lmdb/find-damage-process.ts');
  const store = await openLmdbEventStore(log);
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => write(store, `s${i}`, `needle ${i} ${'x'.repeat(300)}`)));
  await store.close();
  const rows = await openLmdbReadModels(views);
  for (let i = 0; i < 1_000; i++) {
    const row: Write = { collection: 'c', key: [`k${i}`], value: JSON.stringify(`needle ${i} ${'x'.repeat(300)}`) };
    await rows.write([row]);
  }
  await rows.close();
});
afterAll(async () => {
  await program.remove();
  rmSync(folder, { recursive: true });
});

/** A copy of a folder as it was left, with its file changed. */
function copyOf(original: string, change: (bytes: Buffer) => void = () => {}): string {
  const copy = join(folder, randomUUID());
  cpSync(original, copy, {
    recursive: true,
    filter: (path) => !/\.sock$|lock\.mdb$/.test(path),
  });
  const file = join(copy, 'data.mdb');
  const { mtimeMs } = statSync(join(original, 'data.mdb'));
  utimesSync(file, mtimeMs / 1000, mtimeMs / 1000);
  const before = readFileSync(file);
  const bytes = Buffer.from(before);
  change(bytes);
  if (!bytes.equals(before)) writeFileSync(file, bytes);
  return copy;
}

/** Every seventh page beginning with one, but for the two that say where all others are. */
const damagePages =
  (first: number, value: number) =>
  (bytes: Buffer): void => {
    for (let at = first * PAGE; at < bytes.length; at += 7 * PAGE) {
      if (at >= 2 * PAGE) bytes.fill(value, at, at + PAGE);
    }
  };

const open = (directory: string, damageProgram = program.path): Promise<EventStore> =>
  openLmdbEventStore(directory, { damageProgram });

/** A program that leaves a trace where it ran, and then does something. */
function traced(then: string): { path: string; hasRun: () => boolean } {
  const path = join(folder, `${randomUUID()}.mjs`);
  const trace = `${path}.ran`;
  writeFileSync(path, `import fs from 'node:fs'; fs.writeFileSync(${JSON.stringify(trace)}, ''); ${then}`);
  return { path, hasRun: () => existsSync(trace) };
}

describe.each([
  ['zeros', 0],
  ['scrambled pages', 0xab],
])('a file of full length with %s', (_, value) => {
  test.each([2, 4, 6])('ends no process that opens it (page %i)', async (first) => {
    const failed = await open(copyOf(log, damagePages(first, value))).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(LogDamaged);
    expect((failed as Error).message).toMatch(/^the log is damaged: [^\n]+$/);
  });

  test.each([2, 5])('is thrown away with one line where it holds views (page %i)', async (first) => {
    const lines: string[] = [];
    const options = { damageProgram: program.path, log: (line: string) => void lines.push(line) };
    const store = await openLmdbReadModels(copyOf(views, damagePages(first, value)), options);
    expect(await store.scan('c', { limit: 1 })).toEqual([]);
    await store.close();
    expect(lines).toEqual([expect.stringMatching(/^The views in .* will be rebuilt from the log: [^\n]+$/)]);
  });
});

test('a log that was closed is opened without a look, one that was not, or was changed since, with one', async () => {
  const run = async (directory: string): Promise<boolean> => {
    const given = traced('');
    await (await open(directory, given.path)).close();
    return given.hasRun();
  };
  const copy = copyOf(log);
  expect(await run(copy)).toBe(false);
  expect(await run(copy)).toBe(false);
  const store = await open(copy);
  await write(store, 'more', 'more');
  const killed = copyOf(copy);
  await store.close();
  await (await open(copyOf(killed))).close();
  expect(await run(killed)).toBe(true);
  expect(await run(killed)).toBe(false);
  expect(await run(copyOf(log, (bytes) => bytes.fill('X', bytes.lastIndexOf('x'), bytes.lastIndexOf('x') + 1)))).toBe(
    true,
  );
});

test('the look at a log that was not closed takes two seconds at most, and is no reason not to start', async () => {
  const store = await open(copyOf(log));
  const directory = copyOf(log);
  rmSync(join(directory, 'last-end.json'));
  await store.close();
  const given = traced('setInterval(() => {}, 1000);');
  const started = performance.now();
  await (await open(directory, given.path)).close();
  expect(given.hasRun()).toBe(true);
  expect(performance.now() - started).toBeLessThan(5_000);
});

test('what is found damaged while the log is open is named, once, and the next start looks at the file', async () => {
  const copy = copyOf(log, (bytes) => {
    for (let at = bytes.indexOf(NEEDLE); at >= 0; at = bytes.indexOf(NEEDLE, at + 1)) bytes.fill(0, at - 300, at + 100);
  });
  const told: string[] = [];
  const nothing = traced('');
  const store = await openLmdbEventStore(copy, {
    damageProgram: nothing.path,
    onDamage: ({ message }) => void told.push(message),
  });
  const read = async (): Promise<void> => {
    for await (const _ of store.readAll({ after: '0'.repeat(19) as never }));
  };
  await expect(read()).rejects.toThrow(LogDamaged);
  for await (const { data } of store.readStream('s0')) expect(data).toContain('needle 0');
  await expect(read()).rejects.toThrow(LogDamaged);
  expect(told).toEqual([
    expect.stringMatching(/^the log is damaged: what stands behind position \d+ cannot be read: /),
  ]);
  expect(store.damage?.message).toBe(told[0]);
  await write(store, 'later', 'goes on where nothing is damaged');
  await store.close();
  await expect(open(copy)).rejects.toThrow(LogDamaged);
});

/** Lets whatever leads to a page with the needle lead to one that is not there: LMDB says so, and ends no process. */
function losePage(bytes: Buffer): void {
  const lost = new Set<number>();
  for (let at = bytes.indexOf(NEEDLE); at >= 0; at = bytes.indexOf(NEEDLE, at + 1)) lost.add(Math.floor(at / PAGE));
  for (let page = 0; page < bytes.length; page += PAGE) {
    // Flags at 18 (1: it leads to others), twice the number of entries at 20, from 24 on where they stand behind that.
    if ((bytes.readUInt16LE(page + 18) & 1) === 0) continue;
    for (let entry = 0; entry < bytes.readUInt16LE(page + 20); entry += 2) {
      const at = page + 24 + bytes.readUInt16LE(page + 24 + entry);
      if (lost.has(bytes.readUInt16LE(at))) bytes.writeUInt16LE(60_000, at);
    }
  }
}

test('a page of the log that is lost keeps nobody from reading the others, at once', async () => {
  const store = await openLmdbEventStore(copyOf(log, losePage), { damageProgram: traced('').path });
  const read = async (stream: string): Promise<string[]> => {
    const texts: string[] = [];
    for await (const { data } of store.readStream(stream)) texts.push(data);
    return texts;
  };
  await expect(read('s500')).rejects.toThrow(LogDamaged);
  expect(await read('s0')).toEqual([expect.stringContaining('needle 0 ')]);
  const all = async (): Promise<void> => {
    for await (const _ of store.readAll({ after: '0'.repeat(19) as never }));
  };
  await expect(all()).rejects.toThrow(LogDamaged);
  expect(await read('s0')).toHaveLength(1);
  await store.close();
});

test('what is found damaged while the views are open is told once, and what needs it is refused as views that are away', async () => {
  const lost: string[] = [];
  const store = await openLmdbReadModels(copyOf(views, losePage), {
    damageProgram: traced('').path,
    onLost: (reason) => void lost.push(reason),
  });
  const scan = (): Promise<unknown> => store.scan('c', { limit: 1_000 });
  await expect(scan()).rejects.toThrow(ViewsUnavailable);
  expect(await store.get('c', ['k0'])).toContain('needle 0');
  await expect(scan()).rejects.toThrow(ViewsUnavailable);
  expect(lost).toEqual([expect.stringMatching(/^they are damaged, and are rebuilt by the next start: MDB_/)]);
  expect(store.failure?.message).toBe(`The views ${lost[0]!.replace('they ', '')}`);
  await store.close();
});

describe('a log of another version', () => {
  /** Puts another layout into the records of the log, of which `which` says whether. */
  async function otherLayout(directory: string, which: (position: number) => boolean): Promise<void> {
    const root = openRaw({ path: directory, noSubdir: false, maxDbs: 8 });
    const facts = root.openDB<Buffer, number>({ name: 'facts', encoding: 'binary' });
    await root.transaction(() => {
      for (const { key, value } of facts.getRange()) {
        if (which(key)) void facts.put(key, Buffer.concat([Buffer.from([1]), value.subarray(1)]));
      }
    });
    await root.close();
  }

  test('is not called damaged, by who writes it nor by who reads it, and is left as it is', async () => {
    const copy = copyOf(log);
    await otherLayout(copy, () => true);
    const before = readFileSync(join(copy, 'data.mdb'));
    for (const readOnly of [false, true]) {
      const opened = openLmdbEventStore(copy, { readOnly, damageProgram: program.path });
      await expect(opened).rejects.toThrow(LogOfAnotherVersion);
    }
    expect(readFileSync(join(copy, 'data.mdb')).equals(before)).toBe(true);
  });

  test('is none where single facts alone say so: these are damaged', async () => {
    const copy = copyOf(log);
    await otherLayout(copy, (position) => position > 998);
    await expect(openLmdbEventStore(copy, { damageProgram: program.path })).rejects.toThrow(LogDamaged);
    const reader = await openLmdbEventStore(copy, { readOnly: true });
    await expect(reader.findLast()).rejects.toThrow(LogDamaged);
    await reader.close();
  });
});

describe.runIf(process.platform === 'linux')('what the system refuses', () => {
  it('is no damage to a log', async () => {
    const copy = copyOf(log);
    const holder = openRaw({ path: copy, noSubdir: false, maxDbs: 8 });
    letGoOfLocks(copy);
    expect(findDamage(copy, 'log', LONGEST_LOOK, program.path)).toBeUndefined();
    await holder.close();
  });

  it.each(['log', 'views'] as const)('is no damage, though it may end who looks for that: %s', async (kind) => {
    const copy = copyOf(kind === 'log' ? log : views);
    const holding = `require(${JSON.stringify(require.resolve('lmdb'))}).open({ path: '.', noSubdir: false, readOnly: true }).get('x');
    setInterval(() => {}, 1000);
    process.stdout.write('held');`;
    const holder = spawn(process.execPath, ['-e', holding], { cwd: copy, stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    // LMDB says that its lock file is none, and lmdb frees twice what it had made for it.
    const locks = readFileSync(join(copy, 'lock.mdb'));
    writeFileSync(join(copy, 'lock.mdb'), locks.fill(7, 0, 16));
    expect(findDamage(copy, kind, LONGEST_LOOK, program.path)).toBeUndefined();
    holder.kill('SIGKILL');
  });

  it('has no views thrown away', async () => {
    const copy = copyOf(views);
    const holding = `require(${JSON.stringify(require.resolve('lmdb'))}).open({ path: '.', noSubdir: false, readOnly: true }).get('x');
    setInterval(() => {}, 1000);
    process.stdout.write('held');`;
    const holder = spawn(process.execPath, ['-e', holding], { cwd: copy, stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    letGoOfLocks(copy);
    const said: string[] = [];
    const opening = openLmdbReadModels(copy, {
      damageProgram: program.path,
      log: (message) => void said.push(message),
    });
    await expect(opening).rejects.toThrow('Invalid argument');
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    expect(readFileSync(join(copy, 'data.mdb')).equals(readFileSync(join(views, 'data.mdb')))).toBe(true);
    expect(said).toEqual([]);
  });
});
