import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { describeReadModels } from '../read-model-store.contract.js';
import { openLmdbReadModels } from './lmdb-read-model-store.js';

const directory = mkdtempSync(join(tmpdir(), 'annals-views-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describeReadModels(
  'LMDB read models',
  async () => openLmdbReadModels(directory),
  async () => rmSync(directory, { recursive: true, force: true }),
);
