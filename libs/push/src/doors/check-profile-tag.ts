import { MatrixError } from '#kernel/matrix-error';

/** "Max length, 32 bytes" (2015). */
const MOST_TAG_BYTES = 32;

/** By what pushers are told apart in "Push Notifications HTTP API" of 2015. Throws M_INVALID_PARAM. */
export function checkProfileTag(tag: string): string {
  if (tag !== '' && Buffer.byteLength(tag) <= MOST_TAG_BYTES) return tag;
  throw new MatrixError('M_INVALID_PARAM', 'Not a profile tag');
}
