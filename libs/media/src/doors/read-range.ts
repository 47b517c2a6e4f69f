import type { ByteRange } from '../store/media-store.js';

/** No byte of the content is in the range that was asked for. */
export const UNSATISFIABLE = Symbol('annals.Unsatisfiable');

const ONE_RANGE = /^bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i;

/**
 * The range of a header (RFC 9110, section 14.2) in content of so many bytes; undefined where all of it is to be sent: where there is no
 * header, one that cannot be read, or one of several ranges.
 */
export function readRange(header: string | undefined, bytes: number): ByteRange | typeof UNSATISFIABLE | undefined {
  const [, from = '', to = ''] = ONE_RANGE.exec(header ?? '') ?? [];
  if (from === '' && to === '') return undefined;
  if (from === '') {
    const wanted = Number(to);
    return wanted === 0 || bytes === 0 ? UNSATISFIABLE : { first: Math.max(0, bytes - wanted), last: bytes - 1 };
  }
  const first = Number(from);
  if (to !== '' && Number(to) < first) return undefined;
  if (first >= bytes) return UNSATISFIABLE;
  return { first, last: to === '' ? bytes - 1 : Math.min(Number(to), bytes - 1) };
}
