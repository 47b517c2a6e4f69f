import 'reflect-metadata';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Disk } from '#testing/mortal-stores';
import type { MediaRef } from '../src/media-id.js';
import { isHere, MEDIA } from '../src/projections/media.projector.js';
import { filesIn, type MediaCore, startMediaCore, theirs } from './media-core.js';

const root = mkdtempSync(join(tmpdir(), 'annals-media-steps-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const MINUTES = 10 * 60_000;
const SETTINGS = { ANNALS_MEDIA_CACHE: '8' };

/** What was acknowledged: media with what they hold. */
type Acknowledged = Map<MediaRef, string>;

/** What a process does until it ends, the last of which it may have done without saying so. */
type Deeds = (core: MediaCore, acknowledged: Acknowledged, folder: string) => Promise<void>;

/** What stands in the folder of the content; once the process has ended nobody hears of that, nor asks again. */
const contentOf =
  ({ life }: MediaCore, folder: string) =>
  (): Promise<string[]> =>
    life.live(async () => filesIn(folder, 'content'));

/**
 * Lets a process end after each of its writes in turn, and looks at what the next one finds: all that was acknowledged, whole, no content that
 * nobody has, and nothing half received.
 */
async function endAtEachStep(name: string, deeds: Deeds): Promise<number> {
  const disk = Disk.empty();
  const folder = join(root, name);
  const start = (on: Disk, at: string): Promise<MediaCore> =>
    startMediaCore({ disk: on, folder: at, settings: SETTINGS });
  const before = await start(disk, folder);
  const old = await before.upload('old');
  await before.views.stop();

  let steps = 0;
  for (let isDone = false; !isDone; steps++) {
    const [thisDisk, thisFolder] = [await disk.copy(), join(root, `${name}-${steps}`)];
    cpSync(folder, thisFolder, { recursive: true });
    const acknowledged: Acknowledged = new Map([[old, 'old']]);
    const core = await start(thisDisk, thisFolder);
    core.life.endAfter(steps + 1);
    isDone = await Promise.race([
      deeds(core, acknowledged, thisFolder).then(() => true),
      core.life.ended.then(() => false),
    ]);
    core.life.end();

    const next = await start(thisDisk, thisFolder);
    await next.kept.freeStrays();
    for (const [media, text] of acknowledged)
      expect([text, await next.read((await next.here(media))!.sha256)]).toEqual([text, text]);
    const referred = async (): Promise<string[]> => {
      const rows = await MEDIA.scan(next.views, { limit: 100 });
      return [...new Set(rows.flatMap(({ value }) => (isHere(value) ? [value.sha256 as string] : [])))].toSorted();
    };
    await expect.poll(async () => filesIn(thisFolder, 'content').toSorted()).toEqual(await referred());
    expect(filesIn(thisFolder, 'incoming')).toEqual([]);
    await next.views.stop();
    rmSync(thisFolder, { recursive: true, force: true });
  }
  return steps;
}

it(
  'a process that ends between any two steps of uploads and deletions leaves all that was acknowledged, and no content that nobody has',
  async () => {
    const steps = await endAtEachStep('uploads', async (core, acknowledged, folder) => {
      const [old] = acknowledged.keys();
      const first = await core.upload('new');
      acknowledged.set(first, 'new');
      const second = await core.upload('new');
      acknowledged.set(second, 'new');
      for (const media of [first, second, old!]) {
        acknowledged.delete(media);
        await core.remove(media);
      }
      await expect.poll(contentOf(core, folder)).toEqual([]);
    });
    expect(steps).toBeGreaterThan(15);
  },
  MINUTES,
);

it(
  'so does one that ends while media of other servers come, go into quarantine, and give way',
  async () => {
    const steps = await endAtEachStep('fetches', async (core, acknowledged, folder) => {
      core.texts.set('one', 'first').set('two', 'second').set('three', 'third');
      const [one, two, three] = [theirs('one'), theirs('two'), theirs('three')];
      const { sha256 } = await core.find(one);
      acknowledged.set(one, 'first');
      await core.quarantine(sha256);
      // What is in quarantine does not count: the second fits, and the third does not.
      await core.find(two);
      await core.find(three);
      await expect.poll(contentOf(core, folder)).toHaveLength(3);
      await core.release(sha256);
      acknowledged.delete(one);
      await core.room.dropBefore(Infinity);
      await expect.poll(contentOf(core, folder)).toHaveLength(1);
    });
    expect(steps).toBeGreaterThan(15);
  },
  MINUTES,
);
