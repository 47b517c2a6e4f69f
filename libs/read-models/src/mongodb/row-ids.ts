import { decodeKey, encodeKey, encodeKeyToFind } from '../key-encoding.js';
import type { Key } from '../read-model-store.js';
import type { RowDocument } from './large-values.js';

/*
 * What a row's `_id` is: the encoded key as text, for MongoDB orders strings by their UTF-8 bytes, which is the order of keys.
 * (Binary values would be ordered by length first.)
 */

export function idOf(key: Key): string {
  return textOf(encodeKey(key));
}

/** The id of a row to look up: for a key that is too long to be written, that of no row. */
export function idToFind(key: Key): string {
  return textOf(encodeKeyToFind(key));
}

/** The key of a row that was read. */
export function keyOf({ _id: id }: RowDocument): string[] {
  return decodeKey(bytesOf(id));
}

/** Byte strings and the text they are in UTF-8. Most are ASCII, where both are the same. */
export function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
