import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
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
/** By how much it is later than it is, and how often it was looked what is to go. */
let time: { laterMs: number; looks: number };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'annals-media-unshown-'));
  disk = Disk.empty();
  time = { laterMs: 0, looks: 0 };
});
afterEach(async () => {
  await unshown.onModuleDestroy();
  await core?.views.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A process that frees media so many days after their event was redacted. `beforeHead`: done before it asks what the log has. */
async function start(
  days: string | undefined,
  beforeHead?: (parts: FollowedParts) => Promise<void>,
): Promise<MediaCore> {
  const isSet = days === undefined ? {} : { ANNALS_MEDIA_FREE_REDACTED: days };
  const config = loadConfig({ ANNALS_SERVER_NAME: 'a.example', ...isSet });
  // Each look begins with the time.
  const now = (): number => {
    time.looks++;
    return systemClock.now() + time.laterMs;
  };
  const follow = (parts: FollowedParts): UnshownMedia => {
    const { log, kept, store, views } = parts;
    const head = async () => {
      await beforeHead?.(parts);
      return store.head();
    };
    unshown = new UnshownMedia(log, kept, { head }, views, { now }, config);
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

const DAY_MS = 24 * 60 * 60_000;
/** As where another medium is to go. */
const look = (): void => unshown.hear([{ type: 'media-unshown' } as RecordedFact]);

describe('media whose event was redacted', () => {
  it('stay until their time has come, and go then', async () => {
    const { views, upload } = await start('1');
    const media = await upload('a rock');
    await note(media);
    await expect.poll(async () => (await rowOf(views, media))?.unshown).toBeDefined();
    // The second look begins when the first has ended.
    for (let i = 0; i < 2; i++) {
      const before = time.looks;
      look();
      await expect.poll(() => time.looks).toBeGreaterThan(before);
    }
    expect(await rowOf(views, media)).toMatchObject({ bytes: 6 });
    time.laterMs = DAY_MS;
    look();
    await expect.poll(async () => (await rowOf(views, media))?.deleted).toBe(true);
  });

  it('are not even noted where the server frees nothing', async () => {
    const { views, upload } = await start(undefined);
    const media = await upload('a rock');
    expect(await note(media)).toBe(false);
    expect((await rowOf(views, media))?.unshown).toBeUndefined();
  });

  it('stay where something shows them that the views do not show yet', async () => {
    let media: MediaRef | undefined;
    let isLooking = false;
    const { views, upload } = await start('0', async ({ store }) => {
      if (media === undefined || isLooking) return;
      const fact = draftOf({ type: 'profile-changed', data: { key: 'avatar_url', value: mxcOf(media) } });
      await views.operations.pause('profiles', 'a test');
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
