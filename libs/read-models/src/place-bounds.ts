import type { Place, Position } from '#kernel/position';
import type { Key } from './read-model-store.js';

/** A key that ends with a position. */
type Ending<P extends Key> = readonly [...P, Position];

/** Limits a scan of keys that end with a position to what comes after a place. `key`: what stands before the position. */
export function boundAfter<const P extends Key>(
  key: P,
  place: Place,
): { readonly after?: Ending<P>; readonly from?: Ending<P> } {
  return typeof place === 'string' ? { after: [...key, place] } : { from: [...key, place.before] };
}

/** Limits a scan of keys that end with a position to what comes before a place: with the fact at it, where it is just after one. */
export function boundUpTo<const P extends Key>(
  key: P,
  place: Place,
): { readonly before?: Ending<P>; readonly to?: Ending<P> } {
  return typeof place === 'string' ? { to: [...key, place] } : { before: [...key, place.before] };
}
