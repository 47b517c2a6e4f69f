import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { listMore, listOpenThings } from './open-things.js';

const since = (before: ReadonlyMap<string, number>): string[] => listMore(before, listOpenThings());

it('are servers that listen, until they are closed', async () => {
  const before = listOpenThings();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  expect(since(before)).toEqual(['a server that listens']);
  await new Promise((resolve) => server.close(resolve));
  await expect.poll(() => since(before)).toEqual([]);
});

it('are what goes round the event loop, until it ends', async () => {
  const before = listOpenThings();
  let isOver = false;
  const goOn = (): void => void (isOver || setImmediate(goOn));
  goOn();
  expect(since(before)).toEqual(['something that goes on']);
  isOver = true;
  await expect.poll(() => since(before)).toEqual([]);
});

it.runIf(platform() === 'linux')('are files of LMDB, though they were deleted, until they are closed', async () => {
  const before = listOpenThings();
  const folder = mkdtempSync(join(tmpdir(), 'annals-open-'));
  const store = await openLmdbReadModels(folder);
  rmSync(folder, { recursive: true });
  expect(since(before)).toEqual([expect.stringMatching(/data\.mdb \(deleted\)$/)]);
  await store.close();
  expect(since(before)).toEqual([]);
});
