import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { sealFacts } from '../seal-facts.js';
import { openLmdbEventStore } from './lmdb-event-store.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'annals-cut-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a log that was cut is refused with one line, by writers and readers, and a whole one is not', async () => {
  const log = join(folder, 'log');
  const store = await openLmdbEventStore(log);
  for (let i = 0; i < 40; i++) {
    const fact = { id: randomUUID(), type: 'said', data: JSON.stringify('x'.repeat(100_000)), at: 1, actor: 'server' };
    await store.append(`room-${i}`, 'no-stream', sealFacts(undefined, [fact]));
  }
  await store.close();
  await (await openLmdbEventStore(log)).close();
  truncateSync(join(log, 'data.mdb'), statSync(join(log, 'data.mdb')).size / 3);
  await expect(openLmdbEventStore(log)).rejects.toThrow(/data\.mdb was cut: it has \d+ bytes/);
  await expect(openLmdbEventStore(log, { readOnly: true })).rejects.toThrow('was cut');
});

test.each([
  ['nothing of LMDB in it', 0xa5, undefined],
  ['zeros in it', 0, undefined],
  ['an overwritten beginning', 0, 4096],
])('a log with %s is refused with one line', async (_, byte, length) => {
  const log = join(folder, 'log');
  await (await openLmdbEventStore(log)).close();
  const file = join(log, 'data.mdb');
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill(byte, 0, length));
  await expect(openLmdbEventStore(log)).rejects.toThrow(
    /data\.mdb is no file of LMDB, or its beginning was overwritten/,
  );
  await expect(openLmdbEventStore(log, { readOnly: true })).rejects.toThrow('no file of LMDB');
});

test('views whose beginning was overwritten are thrown away with one line', async () => {
  const views = await openLmdbReadModels(folder);
  await views.write([{ collection: 'c', key: ['1'], value: 'x' }]);
  await views.close();
  writeFileSync(join(folder, 'data.mdb'), readFileSync(join(folder, 'data.mdb')).fill(0, 0, 4096));
  const lines: string[] = [];
  const again = await openLmdbReadModels(folder, { log: (line) => void lines.push(line) });
  expect(await again.get('c', ['1'])).toBeUndefined();
  await again.close();
  expect(lines).toEqual([expect.stringMatching(/will be rebuilt from the log: .* beginning was overwritten/)]);
});

test('views that were cut are thrown away with one line', async () => {
  const views = await openLmdbReadModels(folder);
  for (let i = 0; i < 40; i++) await views.write([{ collection: 'c', key: [`${i}`], value: 'x'.repeat(100_000) }]);
  await views.close();
  truncateSync(join(folder, 'data.mdb'), statSync(join(folder, 'data.mdb')).size / 3);
  const lines: string[] = [];
  const again = await openLmdbReadModels(folder, { log: (line) => void lines.push(line) });
  expect(await again.get('c', ['1'])).toBeUndefined();
  await again.close();
  expect(lines).toEqual([expect.stringMatching(/will be rebuilt from the log: .* was cut/)]);
});
