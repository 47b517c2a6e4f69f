import type { MediaId } from '../media-id.js';
import { type ContentHash, isContentHash } from '../store/media-store.js';

const PREFIX = 'preview_';

/** What is noted beside a picture of a preview: without it nobody is given content by its hash. */
export const PREVIEW_NOTE = 'preview.json';

/** What a picture of a preview is called as a medium. */
export function previewId(hash: ContentHash): MediaId {
  return `${PREFIX}${hash}` as MediaId; // letters, digits and an underscore
}

/** The content of a picture of a preview; undefined where an id is no such one. */
export function hashOfPreview(mediaId: MediaId): ContentHash | undefined {
  const hash = mediaId.startsWith(PREFIX) ? mediaId.slice(PREFIX.length) : '';
  return isContentHash(hash) ? hash : undefined;
}
