import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '#kernel/clock';
import { Disk } from '#testing/mortal-stores';
import { MediaAdministration } from '../src/media-administration.js';
import { mxcOf } from '../src/media-id.js';
import { ALICE, startMediaCore } from './media-core.js';

it('an operator sees all that a user has uploaded, page by page, and how much it is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'annals-media-list-'));
  const core = await startMediaCore({ disk: Disk.empty(), folder });
  const execute = (): never => {
    throw new Error('nothing is done');
  };
  const media = new MediaAdministration({ execute }, core.views, core.room, systemClock);
  const uploaded: string[] = [];
  for (let i = 0; i < 501; i++) uploaded.push(mxcOf(await core.upload('the same')));
  const first = await media.listOf(ALICE.userId);
  const second = await media.listOf(ALICE.userId, first.next);
  expect([first.entries.length, second.entries.length, second.next]).toEqual([500, 1, undefined]);
  expect([...first.entries, ...second.entries].map((entry) => entry.media).toSorted()).toEqual(uploaded.toSorted());
  expect(await media.listUse()).toEqual({
    entries: [{ user: ALICE.userId, media: 501, bytes: 501 * 8 }],
    next: undefined,
  });
  await core.views.stop();
  rmSync(folder, { recursive: true, force: true });
});
