import type { PictureType } from './picture-job.js';

/** As much of the beginning of some content as says what it is. */
export const SNIFFED_BYTES = 16;

/** In hex. */
const SIGNATURES: readonly (readonly [PictureType, RegExp])[] = [
  ['image/jpeg', /^ffd8ff/],
  ['image/png', /^89504e470d0a1a0a/],
  // GIF87a, GIF89a
  ['image/gif', /^474946383[79]61/],
  // RIFF, a length, WEBP
  ['image/webp', /^52494646.{8}57454250/],
  // A length, ftypavif or ftypavis
  ['image/avif', /^.{8}66747970617669(66|73)/],
];

/** What picture some content is, by its first bytes; undefined where it is none that is read here. */
export function sniffPicture(start: Uint8Array): PictureType | undefined {
  const hex = Buffer.from(start).toString('hex', 0, SNIFFED_BYTES);
  return SIGNATURES.find(([, signature]) => signature.test(hex))?.[0];
}
