import type { Key, ScanOptions } from './read-model-store.js';

/** The longest encoded key every store takes. LMDB with pages of 4 KiB holds 1,978 bytes. */
export const MAX_KEY_BYTES = 1_900;

/** Where a range without an upper bound ends, above every encoded key: UTF-8 has no byte 0xff. */
export const RANGE_END = '\u00ff';

/** Below every encoded key of at least one part. */
const BEGINNING = '\0';

/** Of most parts no character is escaped, and each is one byte. */
const NOT_PLAIN = /[^\x02-\x7f]/; // oxlint-disable-line no-control-regex
const NEEDS_ESCAPE = /[\0\x01]/; // oxlint-disable-line no-control-regex
const NEEDS_DECODING = /[^\0\x02-\x7f]/; // oxlint-disable-line no-control-regex

/**
 * A key as a string of bytes (one char per byte, 0 to 255), whose order is the order of the keys: each part in UTF-8 and
 * closed by a zero byte, with a zero inside a part written as 1 1 and a one as 1 2. So a shorter part comes first, and the
 * encoding of the first parts of a key is a prefix of its encoding, but never that of a part of a part.
 *
 * PERF: comparing and hashing byte strings is native, and LMDB takes them with one `latin1Write`. Throws RangeError for a key without parts or longer than every store takes.
 */
export function encodeKey(parts: Key): string {
  const bytes = encodeSome(parts);
  if (bytes.length > MAX_KEY_BYTES)
    throw new RangeError(`A key of ${bytes.length} bytes is too long: ${parts.join('|').slice(0, 200)}`);
  return bytes;
}

/**
 * The same for a key to look up. One that is longer than every store takes is that of no row, whoever asks for it: it becomes
 * one that no key is encoded as. Throws RangeError for a key without parts.
 */
export function encodeKeyToFind(parts: Key): string {
  const bytes = encodeSome(parts);
  return bytes.length > MAX_KEY_BYTES ? RANGE_END : bytes;
}

/** The parts of a key, from what `encodeKey` made of them. */
export function decodeKey(bytes: string): string[] {
  if (NEEDS_DECODING.test(bytes)) return decodeParts(Buffer.from(bytes, 'latin1').toString('utf8'));
  // PERF: of nearly every row that is read.
  const parts: string[] = [];
  for (let from = 0, end; (end = bytes.indexOf('\0', from)) >= 0; from = end + 1) parts.push(bytes.slice(from, end));
  return parts;
}

function decodeParts(text: string): string[] {
  const parts = text.split('\0').slice(0, -1);
  return parts.map((part) => part.replaceAll('\x01\x01', '\0').replaceAll('\x01\x02', '\x01'));
}

/** Encoded keys, from the first inclusive to the last exclusive. */
export interface KeyRange {
  readonly from: string;
  readonly to: string;
}

/**
 * The encoded keys that a scan may answer. Empty where `from` is not below `to`. What is longer than every store takes may bound a scan,
 * whoever asks for it: no row begins with it, and all are before or after it.
 */
export function encodeRange(bounds: Omit<ScanOptions, 'reverse' | 'limit'>): KeyRange {
  const { prefix, after, before } = bounds;
  let from = BEGINNING;
  let to = RANGE_END;
  if (prefix !== undefined && prefix.length > 0) {
    from = encodeParts(prefix);
    if (from.length > MAX_KEY_BYTES) return { from: RANGE_END, to: RANGE_END };
    to = `${from.slice(0, -1)}\x01`;
  }
  if (after !== undefined) from = largest(from, `${encodeBound(after)}\0`);
  if (before !== undefined) to = smallest(to, encodeBound(before));
  if (bounds.from !== undefined) from = largest(from, encodeBound(bounds.from));
  if (bounds.to !== undefined) to = smallest(to, `${encodeBound(bounds.to)}\0`);
  return { from, to };
}

/** A key, or of one that is too long what divides all others as it does: no key is long enough to differ from it further on. */
function encodeBound(parts: Key): string {
  const bytes = encodeSome(parts);
  return bytes.length > MAX_KEY_BYTES ? `${bytes.slice(0, MAX_KEY_BYTES)}\0` : bytes;
}

function encodeSome(parts: Key): string {
  if (parts.length === 0) throw new RangeError('A key needs at least one part');
  return encodeParts(parts);
}

function encodeParts(parts: Key): string {
  let text = '';
  for (const part of parts) text += NOT_PLAIN.test(part) ? bytesOf(part) : `${part}\0`;
  return text;
}

function bytesOf(part: string): string {
  const escaped = NEEDS_ESCAPE.test(part) ? escapePart(part) : part;
  return `${Buffer.from(escaped, 'utf8').toString('latin1')}\0`;
}

function escapePart(part: string): string {
  return part.replaceAll('\x01', '\x01\x02').replaceAll('\0', '\x01\x01');
}

function largest(a: string, b: string): string {
  return a < b ? b : a;
}

function smallest(a: string, b: string): string {
  return a < b ? a : b;
}
