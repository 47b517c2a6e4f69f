import { queryBoolean, queryEnum, queryInteger, type Query } from '#http/query';
import { MatrixError } from '#kernel/matrix-error';
import type { ThumbnailJob } from '../pictures/picture-job.js';

/** A thumbnail as somebody asks for it. */
export type WantedThumbnail = Omit<ThumbnailJob, 'kind'>;

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * The boxes that pictures are scaled into, and the lengths and shapes that they are cropped to: client-server API, "Thumbnails", and those
 * of screens with more pixels. What is asked for is rounded up to one of them, so that there are so many thumbnails of a picture and no more.
 */
const BOXES: readonly Size[] = [
  { width: 320, height: 240 },
  { width: 640, height: 480 },
  { width: 800, height: 600 },
  { width: 1600, height: 1200 },
  { width: 3200, height: 2400 },
];
const LENGTHS = [32, 96, 192, 320, 640, 1280, 2560];
const SHAPES = [1 / 3, 1 / 2, 9 / 16, 3 / 4, 1, 4 / 3, 16 / 9, 2, 3];
/** No picture is as wide or as high: its own thumbnail is the picture. */
const WHOLE: Size = { width: 65_535, height: 65_535 };
/** What who asked in 2015 and did not say how large is given. */
const OF_OLD: Size = { width: 800, height: 600 };

/**
 * What somebody asks for, by the query of a request. `isOld`: who asks need not say how large. Throws M_MISSING_PARAM, M_INVALID_PARAM.
 */
export function readWanted(query: Query, isOld = false): WantedThumbnail {
  const lengthOf = (key: keyof Size): number => {
    const length = queryInteger(query, key, { min: 1, cap: WHOLE[key] });
    if (length === undefined && !isOld) throw new MatrixError('M_MISSING_PARAM', `${key}: required`);
    return length ?? OF_OLD[key];
  };
  const size = { width: lengthOf('width'), height: lengthOf('height') };
  const method = queryEnum(query, 'method', ['crop', 'scale']) ?? 'scale';
  return { ...size, method, animated: queryBoolean(query, 'animated') ?? false };
}

/** The thumbnail that is made for who asks for one: at least as large, and one of few. */
export function roundUp(wanted: WantedThumbnail): WantedThumbnail {
  return { ...wanted, ...(wanted.method === 'scale' ? boxFor(wanted) : cropFor(wanted)) };
}

/** What a thumbnail is kept as. */
export function nameOf({ width, height, method, animated }: WantedThumbnail): string {
  return `${width}x${height}-${method}${animated ? '-animated' : ''}`;
}

function boxFor({ width, height }: Size): Size {
  return BOXES.find((box) => box.width >= width && box.height >= height) ?? WHOLE;
}

function cropFor({ width, height }: Size): Size {
  const far = (shape: number): number => Math.abs(Math.log((shape * height) / width));
  const shape = SHAPES.reduce((best, next) => (far(next) < far(best) ? next : best));
  const least = shape >= 1 ? Math.max(width, height * shape) : Math.max(height, width / shape);
  const length = LENGTHS.find((one) => one >= Math.floor(least));
  if (length === undefined) return WHOLE;
  return shape >= 1
    ? { width: length, height: Math.ceil(length / shape) }
    : { width: Math.ceil(length * shape), height: length };
}
