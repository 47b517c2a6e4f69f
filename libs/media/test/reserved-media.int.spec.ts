import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Disk } from '#testing/mortal-stores';
import { type MediaCore, startMediaCore } from './media-core.js';

const root = mkdtempSync(join(tmpdir(), 'annals-media-reserved-'));
let core: MediaCore;

beforeAll(async () => {
  core = await startMediaCore({ disk: Disk.empty(), folder: root });
});
afterAll(async () => {
  await core.views.stop();
  rmSync(root, { recursive: true, force: true });
});

describe('media that were reserved', () => {
  it('are waited for as long as somebody may upload them, and then are not there', async () => {
    const media = await core.create();
    await expect(core.find(media, 10)).rejects.toMatchObject({ errcode: 'M_NOT_YET_UPLOADED', status: 504 });
    const expired = await core.create();
    core.time.laterMs = 24 * 60 * 60_000 - 100;
    await expect(core.find(expired, 60_000)).rejects.toMatchObject({ errcode: expect.stringMatching(/^M_NOT_/) });
    core.time.laterMs += 200;
    await expect(core.find(expired, 60_000)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND', status: 404 });
  });

  it('are waited for no longer once somebody has deleted them', async () => {
    const media = await core.create();
    const waiting = core.find(media, 60_000);
    await core.remove(media);
    await expect(waiting).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
  });
});
