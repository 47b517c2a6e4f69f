import type { Place } from '#kernel/position';
import type { Key, ScanOptions } from './read-model-store.js';

/** Limits a scan of keys that end with a position to what comes after a place. `key`: what stands before the position. */
export function boundAfter(key: Key, place: Place): Pick<ScanOptions, 'after' | 'from'> {
  return typeof place === 'string' ? { after: [...key, place] } : { from: [...key, place.before] };
}

/** Limits a scan of keys that end with a position to what comes before a place: with the fact at it, where it is just after one. */
export function boundUpTo(key: Key, place: Place): Pick<ScanOptions, 'before' | 'to'> {
  return typeof place === 'string' ? { to: [...key, place] } : { before: [...key, place.before] };
}
