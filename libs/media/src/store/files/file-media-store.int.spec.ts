import { mkdtempSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { describeMediaStore } from '../media-store.contract.js';
import { FileMediaStore } from './file-media-store.js';

const folder = mkdtempSync(join(tmpdir(), 'annals-media-'));

afterAll(() => rm(folder, { recursive: true, force: true }));

describeMediaStore('content in files', {
  open: async () => new FileMediaStore(folder),
  clear: () => rm(folder, { recursive: true, force: true }),
  countLeftovers: async () => (await readdir(join(folder, 'incoming')).catch(() => [])).length,
});

describe('files of content', () => {
  it('are for nobody else to read', async () => {
    const store = new FileMediaStore(join(folder, 'private'));
    const received = await store.receive([Buffer.from('secret')], 100);
    await received.keep();
    const { hash } = received;
    const place = join(folder, 'private/content', hash.slice(0, 2), hash.slice(2, 4));
    expect((await stat(join(place, hash))).mode & 0o777).toBe(0o600);
    expect((await stat(place)).mode & 0o077).toBe(0);
  });
});
