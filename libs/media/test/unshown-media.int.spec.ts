import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import { draftOf, sealFacts } from '#event-store/seal-facts';
import { systemClock } from '#kernel/clock';
import { userStream } from '#kernel/user-stream';
import { Disk } from '#testing/mortal-stores';
import { type MediaRef, mxcOf } from '../src/media-id.js';
import { MEDIA } from '../src/projections/media.projector.js';
import { UnshownMedia } from '../src/unshown-media.js';
import { ALICE, type FollowedParts, type MediaCore, startMediaCore } from './media-core.js';

let folder: string;
let disk: Disk;
let core: MediaCore | undefined;
let unshown: UnshownMedia;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'annals-media-unshown-'));
  disk = Disk.empty();
});
afterEach(async () => {
  await unshown.onModuleDestroy();
  await core?.views.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A process that frees media so many days after their event was redacted. `beforeHead`: done before it asks what the log has. */
async function start(days: string, beforeHead?: (parts: FollowedParts) => Promise<void>): Promise<MediaCore> {
  const config = loadConfig({ ANNALS_SERVER_NAME: 'a.example', ANNALS_MEDIA_FREE_REDACTED: days });
  const follow = (parts: FollowedParts): UnshownMedia => {
    const { log, kept, store, views } = parts;
    const head = async () => {
      await beforeHead?.(parts);
      return store.head();
    };
    unshown = new UnshownMedia(log, kept, { head }, views, systemClock, config);
    // As a server does, before the projections begin.
    unshown.onApplicationBootstrap();
    return unshown;
  };
  core = await startMediaCore({ disk, folder, follow });
  return core;
}

const rowOf = (views: FollowedParts['views'], { server, mediaId }: MediaRef) => MEDIA.get(views, [server, mediaId]);
const note = (media: MediaRef): Promise<boolean> =>
  unshown.note(JSON.stringify({ content: { url: mxcOf(media) } }), ALICE.userId);

describe('media whose event was redacted', () => {
  it('stay where something shows them that the views do not show yet', async () => {
    let media: MediaRef | undefined;
    let isLooking = false;
    const { views, upload } = await start('0', async ({ store }) => {
      if (media === undefined || isLooking) return;
      const fact = draftOf({ type: 'profile-changed', data: { key: 'avatar_url', value: mxcOf(media) } });
      await views.pause('profiles', 'a test');
      await store.append(
        userStream(ALICE.userId),
        'no-stream',
        sealFacts(undefined, [{ ...fact, at: 1, actor: 'server' }]),
      );
      isLooking = true;
    });
    media = await upload('a rock');
    await note(media);
    await expect.poll(() => isLooking).toBe(true);
    await unshown.onModuleDestroy();
    expect(await rowOf(views, media)).toMatchObject({ bytes: 6, unshown: expect.any(Number) });
  });

  it('go as a process begins, whose views are not there at once', async () => {
    const first = await start('1');
    const media = await first.upload('a rock');
    await note(media);
    await unshown.onModuleDestroy();
    await first.views.stop();
    const { views } = await start('0');
    await expect.poll(async () => (await rowOf(views, media))?.deleted).toBe(true);
  });
});
