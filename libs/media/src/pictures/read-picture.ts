import { encode } from 'blurhash';
import sharp, { type Metadata, type Sharp } from 'sharp';
import {
  type DescribedPicture,
  type DescribeJob,
  type MadeThumbnail,
  type PictureAnswer,
  type PictureType,
  type SentJob,
  type ThumbnailJob,
  TOO_LARGE,
  UNREADABLE,
} from './picture-job.js';

/** Of a picture, or of all frames of one that moves: more is refused before anything is decoded. */
const MOST_PIXELS = 64_000_000;
const JPEG_QUALITY = 80;
const WEBP_QUALITY = 75;
/** A blurhash holds no more than a few colours: it is made of as many pixels on each side. */
const BLURRED = 48;
const OPAQUE = 255;
/** What libvips calls the reader of each type. */
const FORMATS: Readonly<Record<PictureType, string>> = {
  'image/jpeg': 'jpeg',
  'image/png': 'png',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'image/avif': 'heif',
};
const READERS = ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif'].map((name) => `VipsForeignLoad${name}`);

// Nothing is read by chance that no picture here is: neither vectors nor documents, nor what only loaders of theirs know.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: READERS });
// Each picture is read once, and there are as many processes as pictures are read at a time.
sharp.cache(false);
sharp.concurrency(1);

/**
 * Does what is to be done with a picture. Runs in a process that reads pictures: decoders have faults, and a picture may be made for one of
 * them. Nothing of what the file says beside its pixels goes into what is made of it.
 */
export async function readPicture(content: Uint8Array, job: SentJob): Promise<PictureAnswer> {
  const open = (animated: boolean): Sharp =>
    sharp(content, { animated, limitInputPixels: MOST_PIXELS, failOn: 'error', sequentialRead: true });
  let said: Metadata;
  try {
    said = await open(false).metadata();
  } catch (error) {
    return refusalOf(error);
  }
  if (said.format !== FORMATS[job.type]) return UNREADABLE;
  if (said.width * said.height > MOST_PIXELS) return TOO_LARGE;
  try {
    return await (job.kind === 'describe' ? describe(open(false), said, job) : shrink(open, content, said, job));
  } catch (error) {
    return refusalOf(error);
  }
}

/** Where it says that it has more pixels than are read nothing was decoded. */
function refusalOf(error: unknown): PictureAnswer {
  return error instanceof Error && /exceeds pixel limit/i.test(error.message) ? TOO_LARGE : UNREADABLE;
}

/** Client-server API, "Thumbnails". Never larger than the picture. */
async function shrink(
  open: (animated: boolean) => Sharp,
  content: Uint8Array,
  said: Metadata,
  { width, height, method, animated, type }: ThumbnailJob & { readonly type: PictureType },
): Promise<PictureAnswer> {
  const { width: fullWidth, height: fullHeight } = said.autoOrient;
  const frames = said.pages ?? 1;
  const moves = frames > 1 && animated && said.width * said.height * frames <= MOST_PIXELS;
  const isMoving = frames > 1 || isMovingPng(content, type);
  const isSmall = fullWidth <= width && fullHeight <= height;
  // One that moves is not given out as it is to who wants one that does not, nor one of a type that few clients know.
  if (isSmall && (!isMoving || animated) && type !== 'image/avif') return { kind: 'small', type };
  // As much of the box as the picture fills: so a crop has the shape that was asked for.
  const part = method === 'crop' ? Math.min(1, fullWidth / width, fullHeight / height) : 1;
  const box = { width: Math.max(1, Math.round(width * part)), height: Math.max(1, Math.round(height * part)) };
  const small = open(moves)
    .autoOrient()
    .resize({ ...box, fit: method === 'crop' && !isSmall ? 'cover' : 'inside', withoutEnlargement: true });
  if (moves) return made(type, 'image/webp', await small.webp({ quality: WEBP_QUALITY, effort: 3 }).toBuffer());
  return encodeStill(small, type);
}

/** As a photo, or with what shows through where anything does. */
async function encodeStill(picture: Sharp, from: PictureType): Promise<MadeThumbnail> {
  const { data, info } = await picture
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const again = sharp(data, { raw: { width, height, channels } });
  if (isOpaque(data, channels)) return made(from, 'image/jpeg', await again.jpeg({ quality: JPEG_QUALITY }).toBuffer());
  return made(from, 'image/png', await again.png().toBuffer());
}

function isOpaque(data: Uint8Array, channels: number): boolean {
  if (channels % 2 === 1) return true;
  for (let at = channels - 1; at < data.length; at += channels) if (data[at] !== OPAQUE) return false;
  return true;
}

function made(from: PictureType, type: MadeThumbnail['type'], content: Uint8Array): MadeThumbnail {
  return { kind: 'made', from, type, content };
}

/** Whether it is a PNG of several frames, of which the reader knows the first alone: that is said before the first of them. */
function isMovingPng(content: Uint8Array, type: PictureType): boolean {
  if (type !== 'image/png') return false;
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const control = bytes.indexOf('acTL', 0, 'latin1');
  return control >= 0 && control < bytes.indexOf('IDAT', 0, 'latin1');
}

async function describe(
  picture: Sharp,
  said: Metadata,
  { type, withBlurhash }: DescribeJob & { readonly type: PictureType },
): Promise<DescribedPicture> {
  const { width, height } = said.autoOrient;
  const described = { kind: 'described', type, width, height } as const;
  return withBlurhash ? { ...described, blurhash: await blurhashOf(picture, width >= height) } : described;
}

async function blurhashOf(picture: Sharp, isWide: boolean): Promise<string> {
  const { data, info } = await picture
    .autoOrient()
    .resize({ width: BLURRED, height: BLURRED, fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const [across, down] = isWide ? [4, 3] : [3, 4];
  return encode(new Uint8ClampedArray(data), info.width, info.height, across, down);
}
