import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BundledScript, bundleScript } from '#testing/start-script';
import { FileMediaStore } from '../store/files/file-media-store.js';
import type { ContentHash, OpenContent } from '../store/media-store.js';
import type { PictureAnswer, PictureJob, ThumbnailJob } from './picture-job.js';
import { PictureReader } from './picture-reader.js';
import { type PictureOptions, Pictures } from './pictures.js';

const folder = mkdtempSync(join(tmpdir(), 'annals-pictures-'));
const MOST = 100 * 1024 * 1024;

let program: BundledScript;
let store: FileMediaStore;
let pictures: Pictures;

beforeAll(async () => {
  program = await bundleScript('libs/media/src/pictures/picture-process.ts');
  store = new FileMediaStore(folder);
  pictures = new Pictures(store, { program: program.path });
});
afterAll(async () => {
  pictures.onModuleDestroy();
  await program.remove();
  await rm(folder, { recursive: true, force: true });
});

const keep = async (content: Uint8Array): Promise<ContentHash> => {
  const received = await store.receive([content], MOST);
  await received.keep();
  return received.hash;
};
const readKept = (hash: ContentHash, job: PictureJob, by = pictures): Promise<PictureAnswer | undefined> =>
  by.once(`${hash} ${JSON.stringify(job)}`, { by: 'alice' }, (read) => read(hash, job));
const read = async (content: Uint8Array, job: PictureJob, by = pictures): Promise<PictureAnswer | undefined> =>
  readKept(await keep(content), job, by);
const job = (
  width: number,
  height: number,
  method: ThumbnailJob['method'] = 'scale',
  animated = false,
): ThumbnailJob => ({ kind: 'thumbnail', width, height, method, animated });
const plain = (width: number, height: number, channels: 3 | 4 = 3): Sharp =>
  sharp({ create: { width, height, channels, background: { r: 200, g: 40, b: 40, alpha: 0.5 } } });
/** What a thumbnail is: its type, how large, and of how many frames. */
async function told(answer: PictureAnswer | undefined): Promise<unknown> {
  if (answer?.kind !== 'made') return answer;
  const { width, height, pages } = await sharp(answer.content).metadata();
  return [answer.type, width, height, pages ?? 1];
}
const thumbnail = async (content: Uint8Array, asked: ThumbnailJob): Promise<unknown> =>
  told(await read(content, asked));

/** A picture of two frames, red and blue. */
async function moving(width: number, height: number): Promise<Buffer> {
  const frame = (background: string): Buffer | Promise<Buffer> =>
    sharp({ create: { width, height, channels: 3, background } })
      .png()
      .toBuffer();
  return sharp([await frame('red'), await frame('blue')], { join: { animated: true } })
    .gif({ delay: [100, 100] })
    .toBuffer();
}

describe('thumbnails of pictures', () => {
  it('keep their shape where they are scaled, and have that of the box where they are cropped', async () => {
    const photo = await plain(1200, 600).jpeg().toBuffer();
    expect(await thumbnail(photo, job(320, 240))).toEqual(['image/jpeg', 320, 160, 1]);
    expect(await thumbnail(photo, job(96, 96, 'crop'))).toEqual(['image/jpeg', 96, 96, 1]);
    expect(await thumbnail(photo, job(640, 360, 'crop'))).toEqual(['image/jpeg', 640, 360, 1]);
  });

  it('are never larger than the picture, which is its own where it is no larger than the box', async () => {
    const small = await plain(100, 50).png().toBuffer();
    for (const method of ['scale', 'crop'] as const) {
      expect(await read(small, job(640, 480, method))).toEqual({ kind: 'small', type: 'image/png' });
    }
    const flat = await plain(1000, 40).jpeg().toBuffer();
    expect(await thumbnail(flat, job(96, 96, 'crop'))).toEqual(['image/jpeg', 40, 40, 1]);
    expect(await thumbnail(await plain(1, 3000).png().toBuffer(), job(320, 240))).toEqual(['image/jpeg', 1, 240, 1]);
  });

  it('show through where the picture does, and are photos where it does not', async () => {
    expect(await thumbnail(await plain(1000, 1000, 4).png().toBuffer(), job(320, 240))).toEqual([
      'image/png',
      240,
      240,
      1,
    ]);
    const opaque = await plain(1000, 1000).ensureAlpha().png().toBuffer();
    expect(await thumbnail(opaque, job(320, 240))).toEqual(['image/jpeg', 240, 240, 1]);
    const grey = await plain(1000, 1000).greyscale().png().toBuffer();
    expect(await thumbnail(grey, job(320, 240))).toEqual(['image/jpeg', 240, 240, 1]);
    for (const type of ['webp', 'avif'] as const) {
      const other = await plain(700, 700).toFormat(type, { effort: 0 }).toBuffer();
      expect(await thumbnail(other, job(320, 240))).toEqual(['image/jpeg', 240, 240, 1]);
    }
    // One that few clients can show is no thumbnail of itself.
    expect(await thumbnail(await plain(90, 90).avif({ effort: 0 }).toBuffer(), job(320, 240))).toEqual([
      'image/jpeg',
      90,
      90,
      1,
    ]);
  });

  it('are turned as the picture says, and say nothing that it says beside its pixels', async () => {
    const turned = await plain(1200, 600)
      .withExif({ IFD0: { Copyright: 'somebody' }, IFD3: { GPSLatitude: '51/1 30/1 0/1' } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    expect((await sharp(turned).metadata()).exif).toBeDefined();
    const made = await read(turned, job(320, 240));
    expect(await told(made)).toEqual(['image/jpeg', 120, 240, 1]);
    const { exif, icc, xmp, orientation } = await sharp(made?.kind === 'made' ? made.content : '').metadata();
    expect([exif, icc, xmp, orientation]).toEqual([undefined, undefined, undefined, undefined]);
    expect(await read(turned, { kind: 'describe', withBlurhash: false })).toMatchObject({ width: 600, height: 1200 });
  });

  it('move where that is asked for, and stand still elsewhere', async () => {
    const picture = await moving(600, 400);
    expect(await thumbnail(picture, job(320, 240, 'scale', true))).toEqual(['image/webp', 320, 213, 2]);
    expect(await thumbnail(picture, job(96, 96, 'crop', true))).toEqual(['image/webp', 96, 96, 2]);
    expect(await thumbnail(picture, job(320, 240))).toEqual(['image/jpeg', 320, 213, 1]);
    const small = await moving(60, 40);
    expect(await read(small, job(320, 240, 'scale', true))).toEqual({ kind: 'small', type: 'image/gif' });
    expect(await thumbnail(small, job(320, 240))).toEqual(['image/jpeg', 60, 40, 1]);
    // Of a PNG that moves the reader knows the first frame alone; who wants none that moves is given that.
    const png = await plain(60, 40).png().toBuffer();
    const end = png.indexOf('IDAT') - 4;
    const control = Buffer.from('000000086163544c0000000200000000f38d9370', 'hex');
    const animated = Buffer.concat([png.subarray(0, end), control, png.subarray(end)]);
    expect(await thumbnail(animated, job(320, 240))).toEqual(['image/jpeg', 60, 40, 1]);
  });

  it('are none of what is no picture, or none that is whole, whatever it begins with', async () => {
    const photo = await sharp({
      create: { width: 900, height: 900, channels: 3, noise: { type: 'gaussian', mean: 128, sigma: 40 } },
    } as object)
      .jpeg()
      .toBuffer();
    const png = await sharp(photo).png().toBuffer();
    const bad: readonly (readonly [string, Buffer])[] = [
      ['nothing', Buffer.alloc(0)],
      ['a byte', Buffer.from([0xff])],
      ['text', Buffer.from('not a picture')],
      ['a vector', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="900" height="900"/>')],
      ['a vector behind the beginning of a GIF', Buffer.from('GIF89a<svg xmlns="http://www.w3.org/2000/svg"/>')],
      ['a document', Buffer.from('%PDF-1.4\n1 0 obj')],
      ['a photo that ends halfway', photo.subarray(0, photo.length / 2)],
      ['a PNG that ends halfway', png.subarray(0, png.length / 2)],
      ['the beginning of a photo', photo.subarray(0, 20)],
      ['a PNG of nonsense', Buffer.concat([png.subarray(0, 40), Buffer.alloc(5000, 7)])],
      ['a photo of nonsense', Buffer.concat([photo.subarray(0, 3), Buffer.alloc(5000, 7)])],
      ['a TIFF', await sharp(photo).tiff().toBuffer()],
    ];
    for (const [what, content] of bad) {
      expect([what, await read(content, job(96, 96, 'crop'))]).toEqual([
        what,
        { kind: 'refused', reason: 'unreadable' },
      ]);
    }
    expect(await thumbnail(photo, job(96, 96, 'crop'))).toEqual(['image/jpeg', 96, 96, 1]);
  });

  it('are none of what would be much more than it looks', async () => {
    const bomb = await sharp({
      create: { width: 8200, height: 8000, channels: 3, background: 'red' },
    })
      .png()
      .toBuffer();
    expect(bomb.length).toBeLessThan(1_000_000);
    const said = Buffer.from(await plain(100, 100).png().toBuffer());
    // Its head says that it is larger than any picture.
    said.writeUInt32BE(60_000, 16);
    said.writeUInt32BE(60_000, 20);
    for (const content of [bomb, said]) {
      const answer = await read(content, job(96, 96, 'crop'));
      expect(answer?.kind).toBe('refused');
    }
    expect(await read(bomb, { kind: 'describe', withBlurhash: true })).toEqual({
      kind: 'refused',
      reason: 'too-large',
    });
  });
});

describe('what is found out of a picture', () => {
  it('is how large it is, and a blurhash where that is asked for', async () => {
    const photo = await plain(300, 200).jpeg().toBuffer();
    const described = { kind: 'described', type: 'image/jpeg', width: 300, height: 200 };
    expect(await read(photo, { kind: 'describe', withBlurhash: false })).toEqual(described);
    expect(await read(photo, { kind: 'describe', withBlurhash: true })).toEqual({
      ...described,
      blurhash: expect.stringMatching(/^L[\w#$%*+,\-.:;=?@[\]^{|}~]{27}$/),
    });
  });
});

describe('the processes that read pictures', () => {
  const script = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const given = async (options: Partial<PictureOptions>, work: (pictures: Pictures) => Promise<void>) => {
    const others = new Pictures(store, { program: program.path, ...options });
    try {
      await work(others);
    } finally {
      others.onModuleDestroy();
    }
  };

  it('are killed where they take too long, and there is another one then', async () => {
    const photo = await plain(900, 900).jpeg().toBuffer();
    const hangs = script('hangs.mjs', "process.on('message', () => { for (;;); });");
    await given({ program: hangs, withinMs: 2_000 }, async (others) => {
      const refused = { kind: 'refused', reason: 'too-slow' };
      expect(await Promise.all([read(photo, job(96, 96), others), read(photo, job(32, 32), others)])).toEqual([
        refused,
        refused,
      ]);
    });
  });

  it('may die of what they read', async () => {
    const photo = await plain(900, 900).jpeg().toBuffer();
    const dies = script('dies.mjs', "process.on('message', () => process.kill(process.pid, 'SIGSEGV'));");
    await given({ program: dies }, async (others) => {
      for (let i = 0; i < 2; i++) {
        expect(await read(photo, job(96, 96), others)).toEqual({ kind: 'refused', reason: 'unreadable' });
      }
    });
    const ends = script('ends.mjs', 'process.exit(1);');
    await given({ program: ends }, async (others) => {
      await expect(read(photo, job(96, 96), others)).rejects.toThrow('the process that reads pictures: ended with 1');
    });
  });

  it('know nothing of the environment of the server', async () => {
    const photo = await plain(900, 900).jpeg().toBuffer();
    const tells = script('tells.mjs', "process.on('message', () => process.send(Object.keys(process.env)));");
    await given({ program: tells }, async (others) => {
      const names = (await read(photo, job(96, 96), others)) as unknown as string[];
      expect(names.filter((name) => !name.startsWith('NODE_CHANNEL_'))).toEqual([]);
    });
  });

  it('hold nothing of what they have answered, however long they live', async () => {
    const answers = "process.on('message', () => process.send({ kind: 'small', type: 'image/png' }));";
    const reader = new PictureReader(script('answers.mjs', answers));
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    try {
      const answered: WeakRef<PictureAnswer>[] = [];
      for (let i = 0; i < 5; i++) {
        const content = { bytes: 1, stream: Readable.from([Buffer.alloc(1)]) };
        const asked = { ...job(96, 96), type: 'image/png', bytes: 1 } as const;
        answered.push(new WeakRef(await reader.ask(asked, content, 60_000)));
      }
      const held = (): number => {
        collect();
        return answered.slice(0, -1).filter((one) => one.deref() !== undefined).length;
      };
      await expect.poll(held).toBe(0);
    } finally {
      setFlagsFromString('--no-expose-gc');
      reader.end();
    }
  });

  it('say nothing of a picture that does not come', async () => {
    const hash = await keep(await plain(900, 900).jpeg().toBuffer());
    class Slow extends FileMediaStore {
      override async open(...[one, range]: Parameters<FileMediaStore['open']>): Promise<OpenContent | undefined> {
        return range === undefined ? { bytes: 100, stream: new Readable({ read() {} }) } : super.open(one, range);
      }
    }
    const others = new Pictures(new Slow(folder), { program: program.path, withinMs: 200 });
    try {
      await expect(readKept(hash, job(96, 96), others)).rejects.toThrow('the content did not come in time');
    } finally {
      others.onModuleDestroy();
    }
  });

  it('go on with the next picture where reading one failed halfway', async () => {
    const photo = await plain(900, 900).jpeg().toBuffer();
    const hash = await keep(photo);
    class Broken extends FileMediaStore {
      isBroken = true;
      override async open(...[one, range]: Parameters<FileMediaStore['open']>): Promise<OpenContent | undefined> {
        if (!this.isBroken || range !== undefined) return super.open(one, range);
        const stream = Readable.from(
          (async function* () {
            yield photo.subarray(0, 100);
            throw new Error('the disk is gone');
          })(),
        );
        return { bytes: photo.length, stream };
      }
    }
    const broken = new Broken(folder);
    const others = new Pictures(broken, { program: program.path });
    try {
      await expect(readKept(hash, job(96, 96), others)).rejects.toThrow('the disk is gone');
      broken.isBroken = false;
      expect(await told(await readKept(hash, job(96, 96), others))).toEqual(['image/jpeg', 96, 96, 1]);
    } finally {
      others.onModuleDestroy();
    }
  });
});
