import { mkdtempSync } from 'node:fs';
import { mkdir, readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it } from 'vitest';
import { describeMediaStore } from '../media-store.contract.js';
import type { ContentHash } from '../media-store.js';
import { FileMediaStore } from './file-media-store.js';

const folder = mkdtempSync(join(tmpdir(), 'annals-media-'));

afterAll(() => rm(folder, { recursive: true, force: true }));

describeMediaStore('content in files', {
  open: async () => new FileMediaStore(folder),
  clear: () => rm(folder, { recursive: true, force: true }),
  countLeftovers: async () => (await readdir(join(folder, 'incoming')).catch(() => [])).length,
});

describe('files of content', () => {
  it('are found beside whatever else somebody put there', async () => {
    const place = join(folder, 'strange');
    const store = new FileMediaStore(place);
    const received = await store.receive([Buffer.from('content')], 100);
    await received.keep();
    const { hash } = received;
    await writeFile(join(place, 'content', '.DS_Store'), '');
    await writeFile(join(place, 'content', hash.slice(0, 2), 'zz'), '');
    const listed: string[] = [];
    for await (const one of store.list()) listed.push(one);
    expect(listed).toEqual([hash]);
    await writeFile(join(place, 'content', 'ff'), '');
    const hidden = 'f'.repeat(64) as ContentHash;
    expect([await store.sizeOf(hidden), await store.open(hidden), await store.delete(hidden)]).toEqual([
      undefined,
      undefined,
      false,
    ]);
  });

  it('are whole again once somebody brings content that the disk has shortened', async () => {
    const place = join(folder, 'shortened');
    const store = new FileMediaStore(place);
    const [first, second] = await Promise.all([1, 2].map(() => store.receive([Buffer.from('whole')], 100)));
    await first!.keep();
    const { hash } = first!;
    await truncate(join(place, 'content', hash.slice(0, 2), hash.slice(2, 4), hash), 2);
    await second!.keep();
    expect(await text((await store.open(hash))!.stream)).toBe('whole');
  });

  it('leave nothing of what was made of content and could not be kept', async () => {
    const place = join(folder, 'full');
    const store = new FileMediaStore(place);
    await mkdir(place, { recursive: true });
    await writeFile(join(place, 'derived'), 'in the way');
    await expect(store.keepDerived('a'.repeat(64) as ContentHash, 'small', Buffer.from('x'))).rejects.toThrow();
    expect(await readdir(join(place, 'incoming'))).toEqual([]);
  });

  it('that another process is receiving stay, where it shares them, and what nobody touches goes', async () => {
    const place = join(folder, 'shared');
    const store = new FileMediaStore(place);
    const received = await store.receive([Buffer.from('half')], 100);
    await new FileMediaStore(place).discardLeftovers(60_000);
    await received.keep();
    await received.discard();
    expect(await store.sizeOf(received.hash)).toBe(4);
    await store.receive([Buffer.from('left')], 100);
    const [left] = await readdir(join(place, 'incoming'));
    const path = join(place, 'incoming', left!);
    const { atimeMs, mtimeMs } = await stat(path);
    await utimes(path, atimeMs / 1000, mtimeMs / 1000 - 61);
    await store.discardLeftovers(60_000);
    expect(await readdir(join(place, 'incoming'))).toEqual([]);
  });

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
