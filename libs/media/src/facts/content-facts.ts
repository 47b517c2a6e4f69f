import type { FactShapes } from '#event-store/fact-shapes';
import type { ContentHash } from '../store/media-store.js';

/** The stream of content, whichever media have it, with what was decided of it. */
const CONTENT_STREAM_PREFIX = 'content-';
export const contentStream = (hash: ContentHash): string => `${CONTENT_STREAM_PREFIX}${hash}`;
export const hashOfStream = (stream: string): ContentHash => stream.slice(CONTENT_STREAM_PREFIX.length) as ContentHash;

/** `content-quarantined`: nobody is given it any more, under whatever id, and nobody can bring it again; it is kept. */
export interface ContentQuarantined {
  readonly reason?: string;
}

/** How old shapes of these facts become today's. `content-released`: it is given out again. */
export const CONTENT_SHAPES = {
  'content-quarantined': [],
  'content-released': [],
} as const satisfies FactShapes;
