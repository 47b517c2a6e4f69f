import 'reflect-metadata';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { BY_SERVER } from '#accounts/accounts';
import { loadConfig } from '#config/config';
import { systemClock } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import type { Effect } from '#projections/effects/effect';
import { ProjectionRuntime } from '#projections/projection-runtime';
import { Disk, MortalStores } from '#testing/mortal-stores';
import { DeleteMedia, DeleteMediaHandler } from '../src/commands/delete-media.js';
import { UploadMedia, UploadMediaHandler } from '../src/commands/upload-media.js';
import { FreedContent } from '../src/freed-content.effect.js';
import { KeptContent } from '../src/kept-content.js';
import type { MediaRef } from '../src/media-id.js';
import { MediaLog } from '../src/media-log.js';
import { isHere, MEDIA } from '../src/projections/media.projector.js';
import { mediaProjectors } from '../src/projections/media-projectors.js';
import { FileMediaStore } from '../src/store/files/file-media-store.js';
import type { ContentHash, MediaStore, ReceivedContent } from '../src/store/media-store.js';
import { UploadLimits } from '../src/uploads/upload-limits.js';

const root = mkdtempSync(join(tmpdir(), 'annals-media-steps-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const MINUTES = 10 * 60_000;
const ALICE = {
  userId: '@alice:a.example' as UserId,
  deviceId: 'D' as DeviceId,
  isAdmin: false,
  requestId: 'r',
};

/** A store of content of a process that ends after so many steps. */
class MortalFiles extends FileMediaStore {
  constructor(
    folder: string,
    private readonly life: MortalStores,
  ) {
    super(folder);
  }

  override async receive(...given: Parameters<MediaStore['receive']>): Promise<ReceivedContent> {
    const received = await this.life.live(() => super.receive(...given), 'content received');
    return {
      ...received,
      keep: () => this.life.live(() => received.keep(), 'content kept'),
      discard: () => this.life.live(() => received.discard()),
    };
  }

  override delete(hash: ContentHash): Promise<boolean> {
    return this.life.live(() => super.delete(hash), 'content freed');
  }
}

/** The core of media over such stores. */
async function start(disk: Disk, folder: string) {
  const life = new MortalStores(disk);
  const { store, readModels } = life;
  const clock = systemClock;
  const effects: Effect[] = [];
  const views = new ProjectionRuntime({
    store,
    readModels,
    projectors: mediaProjectors,
    listeners: [],
    effects,
    clock,
  });
  const config = loadConfig({ ANNALS_SERVER_NAME: 'a.example' });
  const files = new MortalFiles(folder, life);
  const log = new MediaLog(store, clock, views);
  const kept = new KeptContent(files, store, views);
  effects.push(new FreedContent(log, kept));
  const uploads = new UploadMediaHandler(log, kept, new UploadLimits(config, views), files, clock, config);
  const deletions = new DeleteMediaHandler(log);
  await files.discardLeftovers();
  await views.start();
  return {
    life,
    views,
    kept,
    files,
    upload: (text: string): Promise<MediaRef> => {
      const stream = (async function* () {
        yield Buffer.from(text);
      })();
      return uploads.execute(new UploadMedia(ALICE, { stream, bytes: undefined, type: undefined, name: undefined }));
    },
    remove: (media: MediaRef) => deletions.execute(new DeleteMedia(BY_SERVER, media)),
  };
}

const hashesIn = (folder: string, part: string): string[] => {
  try {
    const entries = readdirSync(join(folder, part), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  } catch {
    return [];
  }
};

it(
  'a process that ends between any two steps of uploads and deletions leaves all that was acknowledged, and no content that nobody has',
  async () => {
    const disk = Disk.empty();
    const folder = join(root, 'before');
    const before = await start(disk, folder);
    const old = await before.upload('old');
    await before.views.stop();

    let steps = 0;
    for (let isDone = false; !isDone; steps++) {
      const [thisDisk, thisFolder] = [await disk.copy(), join(root, String(steps))];
      cpSync(folder, thisFolder, { recursive: true });
      const acknowledged = new Map<MediaRef, string>([[old, 'old']]);
      const app = await start(thisDisk, thisFolder);
      app.life.endAfter(steps + 1);
      const act = async (): Promise<true> => {
        const first = await app.upload('new');
        acknowledged.set(first, 'new');
        const second = await app.upload('new');
        acknowledged.set(second, 'new');
        for (const media of [first, second, old]) {
          acknowledged.delete(media);
          await app.remove(media);
        }
        await expect.poll(() => hashesIn(thisFolder, 'content')).toEqual([]);
        return true;
      };
      isDone = await Promise.race([act(), app.life.ended.then(() => false)]);
      app.life.end();

      const next = await start(thisDisk, thisFolder);
      await next.kept.freeStrays();
      for (const [{ server, mediaId }, text] of acknowledged) {
        const row = await MEDIA.get(next.views, [server, mediaId]);
        expect([text, isHere(row)]).toEqual([text, true]);
        expect(await next.files.sizeOf(row!.sha256!)).toBe(text.length);
      }
      const referred = async (): Promise<string[]> => {
        const rows = await MEDIA.scan(next.views, { limit: 100 });
        return [...new Set(rows.flatMap(({ value }) => (isHere(value) ? [value.sha256 as string] : [])))].toSorted();
      };
      await expect.poll(async () => hashesIn(thisFolder, 'content').toSorted()).toEqual(await referred());
      expect(hashesIn(thisFolder, 'incoming')).toEqual([]);
      await next.views.stop();
      rmSync(thisFolder, { recursive: true, force: true });
    }
    expect(steps).toBeGreaterThan(15);
  },
  MINUTES,
);
