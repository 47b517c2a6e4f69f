import { type ContentHash, isContentHash } from './media-store.js';

const DERIVED_NAME = /^[\w-][\w.-]{0,100}$/;

/** Where content is in any store, in parts of a path: so one can be copied into another. Throws RangeError. */
export function contentPlace(hash: ContentHash): string[] {
  return ['content', ...foldersOf(hash)];
}

/** Where is what was made of content; without a name all of it. Throws RangeError. */
export function derivedPlace(hash: ContentHash, name?: string): string[] {
  if (name === undefined) return ['derived', ...foldersOf(hash)];
  if (!DERIVED_NAME.test(name)) throw new RangeError(`Not a name for what is made of content: ${name}`);
  return ['derived', ...foldersOf(hash), name];
}

/** No folder has more than a few thousand names, with some hundred million files. */
function foldersOf(hash: ContentHash): string[] {
  if (!isContentHash(hash)) throw new RangeError('Not a sha256');
  return [hash.slice(0, 2), hash.slice(2, 4), hash];
}
