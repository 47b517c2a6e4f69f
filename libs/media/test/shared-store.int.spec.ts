import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MatrixError } from '#kernel/matrix-error';
import { Disk } from '#testing/mortal-stores';
import { filesIn, type MediaCore, piecesOf, startMediaCore } from './media-core.js';

const folder = mkdtempSync(join(tmpdir(), 'annals-media-shared-'));
let core: MediaCore;

beforeAll(async () => {
  core = await startMediaCore({ disk: Disk.empty(), folder });
});
afterAll(async () => {
  await core.views.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('content that another process frees before the log says who has it is kept again', async () => {
  const received = await core.files.receive(piecesOf('same bytes'), 100);
  const { hash } = received;
  await core.kept.keepFor(received, async () => {
    // It was kept, and the other process has looked before this is in the log.
    expect(await core.files.delete(hash)).toBe(true);
  });
  expect(await core.read(hash)).toBe('same bytes');
  expect(filesIn(folder, 'incoming')).toEqual([]);
});

it('content that is refused is not, and nothing of it is left', async () => {
  const received = await core.files.receive(piecesOf('refused'), 100);
  const refused = core.kept.keepFor(received, () => Promise.reject(new MatrixError('M_FORBIDDEN')));
  await expect(refused).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  expect(await core.read(received.hash)).toBeUndefined();
  expect(filesIn(folder, 'incoming')).toEqual([]);
});

it('what is made of content takes no more than it and four megabytes', async () => {
  const hash = (await core.here(await core.upload('a picture')))!.sha256;
  const most = 'a picture'.length + 4 * 1024 * 1024;
  expect(await core.kept.keepDerived(hash, 'a', Buffer.alloc(most - 10))).toBe(true);
  expect(await core.kept.keepDerived(hash, 'b', Buffer.alloc(11))).toBe(false);
  expect(await core.files.openDerived(hash, 'b')).toBeUndefined();
  expect(await core.kept.keepDerived(hash, 'b', Buffer.alloc(10))).toBe(true);
  await core.kept.noteDerived(hash, 'c', 'image/png');
  expect(await core.files.sizeOfDerived(hash)).toBe(most + 'image/png'.length);
});

it('pictures of previews that another process keeps stay at a start, until it lets them go; they go where there is no other', async () => {
  const keep = async (content: string): Promise<string> => {
    const received = await core.files.receive(piecesOf(content), 100);
    await core.kept.keepPreview(received);
    await core.kept.notePreview(received.hash, 'image/png', 5_000);
    return received.hash;
  };
  const isThere = (hash: string): boolean => filesIn(folder, 'content').includes(hash);
  const first = await keep('first');
  await core.kept.freeStrays({ pauseMs: 1, now: 4_999 });
  expect(isThere(first)).toBe(true);
  await core.kept.freeStrays({ pauseMs: 1, now: 5_000 });
  expect(isThere(first)).toBe(false);
  const second = await keep('second');
  await core.kept.freeStrays();
  expect(isThere(second)).toBe(false);
});
