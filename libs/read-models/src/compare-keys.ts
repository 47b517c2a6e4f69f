import type { Key } from './read-model-store.js';
import { encodeKey } from './key-encoding.js';

/** The order of keys: negative, zero or positive, for `sort`. */
export function compareKeys(a: Key, b: Key): number {
  const left = encodeKey(a);
  const right = encodeKey(b);
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
