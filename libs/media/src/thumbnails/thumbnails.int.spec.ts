import { mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import { type BundledScript, bundleScript } from '#testing/start-script';
import type { MediaRef } from '../media-id.js';
import type { PictureAnswer } from '../pictures/picture-job.js';
import { Pictures } from '../pictures/pictures.js';
import { FileMediaStore } from '../store/files/file-media-store.js';
import type { ContentHash } from '../store/media-store.js';
import type { WantedThumbnail } from './thumbnail-size.js';
import { Thumbnails } from './thumbnails.js';

const folder = mkdtempSync(join(tmpdir(), 'annals-thumbnails-'));
const OURS = { server: 'a.example', mediaId: 'abc' } as MediaRef;
const THEIRS = { server: 'b.example', mediaId: 'abc' } as MediaRef;
const OPTIONS = { timeoutMs: 0 };
const ALICE = { by: '@alice:a.example' };
const WANTED: WantedThumbnail = { width: 320, height: 240, method: 'scale', animated: false };

/** Counts what it reads. */
class CountedPictures extends Pictures {
  reads = 0;
  /** What it answers, whatever the picture. */
  answer: PictureAnswer | undefined;
  override once(...[name, asker, work]: Parameters<Pictures['once']>) {
    return super.once(name, asker, (read) =>
      work(async (...given) => {
        this.reads++;
        return this.answer ?? read(...given);
      }),
    );
  }
}

let program: BundledScript;
let store: FileMediaStore;
let pictures: CountedPictures;
let hash: ContentHash;
/** Whether a medium has the content still. */
let isReferred = true;
/** Whether more may be made of it. */
let hasRoom = true;
let now = 0;

beforeAll(async () => {
  program = await bundleScript('libs/media/src/pictures/picture-process.ts');
});
beforeEach(async () => {
  store = new FileMediaStore(mkdtempSync(join(folder, 'store-')));
  pictures?.onModuleDestroy();
  pictures = new CountedPictures(store, { program: program.path });
  [isReferred, hasRoom] = [true, true];
});
afterAll(async () => {
  pictures.onModuleDestroy();
  await program.remove();
  await rm(folder, { recursive: true, force: true });
});

/** Thumbnails of one content that two media have. */
async function thumbnailsOf(content: Uint8Array): Promise<Thumbnails> {
  const received = await store.receive([content], 10 ** 8);
  await received.keep();
  hash = received.hash;
  const finder = { find: async () => ({ at: 0, sha256: hash, bytes: content.length }), findAgain: missing };
  const kept = {
    keepDerived: async (...given: Parameters<FileMediaStore['keepDerived']>) => {
      if (isReferred && hasRoom) await store.keepDerived(...given);
      return hasRoom;
    },
    noteDerived: async (one: ContentHash, name: string, note: string) => {
      if (isReferred) await store.keepDerived(one, name, Buffer.from(note));
    },
  };
  const parts = [finder, pictures, kept, store, { elapsed: () => now }, { serverName: 'a.example' as ServerName }];
  return new Thumbnails(...(parts as unknown as ConstructorParameters<typeof Thumbnails>));
}
const missing = () => Promise.reject(new Error('it is not there'));
const photo = (width = 1000, height = 500): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: 'teal' } })
    .jpeg()
    .toBuffer();

describe('thumbnails of media', () => {
  it('are made once, however many ask for them, and kept beside the content until that goes', async () => {
    const thumbnails = await thumbnailsOf(await photo());
    const many = await Promise.all(Array.from({ length: 100 }, () => thumbnails.find(OURS, WANTED, ALICE, OPTIONS)));
    const contents = await Promise.all(many.map(({ stream }) => buffer(stream)));
    expect(new Set(contents.map((one) => one.toString('hex'))).size).toBe(1);
    expect(many[0]).toMatchObject({ type: 'image/jpeg', fileName: 'thumbnail.jpeg', bytes: contents[0]!.length });
    const again = await thumbnails.find(THEIRS, { ...WANTED, width: 300, height: 200 }, ALICE, OPTIONS);
    again.stream.destroy();
    expect([again.etag, pictures.reads]).toEqual([many[0]!.etag, 1]);
    // Another process has made nothing, and finds it.
    const others = await thumbnailsOf(await photo());
    (await others.find(OURS, WANTED, ALICE, OPTIONS)).stream.destroy();
    expect(pictures.reads).toBe(1);
    await store.delete(hash);
    await expect(thumbnails.find(OURS, WANTED, ALICE, OPTIONS)).rejects.toThrow('it is not there');
  });

  it('are the picture itself where that is no larger, of which no copy is kept', async () => {
    const content = await photo(100, 50);
    const thumbnails = await thumbnailsOf(content);
    for (let i = 0; i < 2; i++) {
      const found = await thumbnails.find(OURS, WANTED, ALICE, OPTIONS);
      expect(found).toMatchObject({ type: 'image/jpeg', bytes: content.length });
      expect((await buffer(found.stream)).equals(content)).toBe(true);
    }
    expect(pictures.reads).toBe(1);
    // Nobody asks for more than any picture has, and gets less than there is.
    const large = await thumbnailsOf(await photo(4000, 10));
    const whole = await large.find(OURS, { ...WANTED, width: 3500 }, ALICE, OPTIONS);
    expect((await sharp(await buffer(whole.stream)).metadata()).width).toBe(4000);
  });

  it('are the picture itself too where too much was made of it already', async () => {
    const content = await photo();
    const thumbnails = await thumbnailsOf(content);
    hasRoom = false;
    for (let i = 0; i < 2; i++) {
      const found = await thumbnails.find(OURS, WANTED, ALICE, OPTIONS);
      expect(found).toMatchObject({ type: 'image/jpeg', bytes: content.length });
      expect((await buffer(found.stream)).equals(content)).toBe(true);
    }
    expect(pictures.reads).toBe(1);
  });

  it('are refused where there can be none, as often as anybody asks, and tried again an hour later', async () => {
    const thumbnails = await thumbnailsOf(Buffer.from('no picture'));
    for (let i = 0; i < 3; i++) {
      await expect(thumbnails.find(OURS, WANTED, ALICE, OPTIONS)).rejects.toMatchObject({
        errcode: 'M_UNKNOWN',
        status: 400,
      });
    }
    expect(pictures.reads).toBe(1);
    now += 60 * 60_000 + 1;
    await expect(thumbnails.find(OURS, WANTED, ALICE, OPTIONS)).rejects.toMatchObject({ status: 400 });
    expect(pictures.reads).toBe(2);
  });

  it('cannot be made now where the machine is too slow, and are tried again some minutes later', async () => {
    const thumbnails = await thumbnailsOf(await photo());
    pictures.answer = { kind: 'refused', reason: 'too-slow' };
    for (const media of [OURS, THEIRS]) {
      await expect(thumbnails.find(media, WANTED, ALICE, OPTIONS)).rejects.toMatchObject({
        errcode: 'M_UNKNOWN',
        status: 503,
      });
    }
    expect(pictures.reads).toBe(1);
    pictures.answer = undefined;
    now += 5 * 60_000 + 1;
    const found = await thumbnails.find(OURS, WANTED, ALICE, OPTIONS);
    found.stream.destroy();
    expect(found.type).toBe('image/jpeg');
    await store.delete(hash);
  });

  it('are refused of what is too large, with another status where another server has it', async () => {
    const large = await sharp({ create: { width: 8200, height: 8000, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    const thumbnails = await thumbnailsOf(large);
    await expect(thumbnails.find(OURS, WANTED, ALICE, OPTIONS)).rejects.toMatchObject({
      errcode: 'M_TOO_LARGE',
      status: 413,
    });
    await expect(thumbnails.find(THEIRS, WANTED, ALICE, OPTIONS)).rejects.toMatchObject({
      errcode: 'M_TOO_LARGE',
      status: 502,
    });
    expect(pictures.reads).toBe(1);
  });

  it('leave nothing where the content goes while they are made', async () => {
    const thumbnails = await thumbnailsOf(await photo());
    isReferred = false;
    await expect(thumbnails.find(OURS, WANTED, ALICE, OPTIONS)).rejects.toThrow('it is not there');
    expect(readdirSync(folder, { recursive: true }).filter((path) => String(path).endsWith('.jpeg'))).toEqual([]);
  });
});
