import { randomBytes } from 'node:crypto';
import type { FactShapes } from '#event-store/fact-shapes';
import type { FactDraft } from '#event-store/seal-facts';
import type { ServerName, UserId } from '#kernel/ids';
import type { MediaId, MediaRef } from '../media-id.js';
import type { ContentHash } from '../store/media-store.js';

/** The stream of a medium. That an id is given once is "no stream yet". Of the content the log knows the hash, and nothing more. */
export const MEDIA_STREAM_PREFIX = 'media-';
export const mediaStream = ({ server, mediaId }: MediaRef): string => `${MEDIA_STREAM_PREFIX}${server}/${mediaId}`;

/** Which medium a stream is of: no server's name has a slash. */
export function mediaOfStream(stream: string): MediaRef {
  const slash = stream.indexOf('/');
  return {
    server: stream.slice(MEDIA_STREAM_PREFIX.length, slash) as ServerName,
    mediaId: stream.slice(slash + 1) as MediaId,
  };
}

/** `media-reserved`: somebody here is to upload it until then. */
export interface MediaReserved {
  readonly by: UserId;
  readonly expires_at: number;
}

/** What is said of content by who brings it: nobody else vouches for it. */
export interface MediaAbout {
  readonly type?: string;
  readonly name?: string;
}

/** What is said of content, as a fact holds it: once the medium is deleted nothing of it is left. */
interface SaltedAbout extends MediaAbout {
  readonly salt?: string;
}

/** `media-uploaded`: it has content, for ever the same. */
export interface MediaUploaded {
  readonly by: UserId;
  readonly sha256: ContentHash;
  readonly bytes: number;
  readonly about: SaltedAbout;
}

/** `media-fetched`: a medium of another server has this content here, until it is dropped. */
export interface MediaFetched {
  readonly sha256: ContentHash;
  readonly bytes: number;
  readonly about: SaltedAbout;
}

/** `media-seen`: somebody asked for it on this day (days since the epoch). */
export interface MediaSeen {
  readonly day: number;
}

/** `media-dropped`: a medium of another server gave way to others, and may be fetched again. */
export interface MediaDropped {
  readonly sha256: ContentHash;
}

/** `media-deleted`: it is gone for good, and is not fetched again. */
export interface MediaDeleted {
  /** Its content, where it had any here. */
  readonly sha256?: ContentHash;
}

/**
 * `media-unshown`: an event of whoever uploaded it that showed it was redacted; where nothing else shows it, it goes after a while. `media-kept`:
 * it does not, for now. Neither says anything besides.
 */
export type MediaUnshown = Readonly<Record<string, never>>;

/** Whether facts of this type say that a medium lets go of its content: whatever nobody else refers to goes then. */
export function letsGo(type: string): boolean {
  return type === 'media-dropped' || type === 'media-deleted';
}

const SALT_BYTES = 16;
const NOTHING_LEFT = '{}}';

/** What takes the place of what was said of a medium that is deleted. */
export const tailLeft = (type: string): string | undefined =>
  type === 'media-uploaded' || type === 'media-fetched' ? NOTHING_LEFT : undefined;

/** A fact of content, of which what is said of it may be erased: with a salt, for its hash stays and it could be guessed. */
export function contentDraft(
  type: 'media-uploaded' | 'media-fetched',
  head: Omit<MediaUploaded, 'about'> | Omit<MediaFetched, 'about'>,
  about: MediaAbout,
): FactDraft {
  const start = `${JSON.stringify(head).slice(0, -1)},"about":`;
  const salt = randomBytes(SALT_BYTES).toString('base64url');
  const data = `${start}${JSON.stringify({ ...about, salt })}}`;
  return { id: `${type} ${head.sha256}`, type, data, erasable: start.length };
}

/** Of its facts only the last one of each kind counts: the key of the kind. */
export function kindOfMediaFact(type: string): string {
  if (type === 'media-fetched' || type === 'media-dropped') return 'cached';
  return type === 'media-unshown' || type === 'media-kept' ? 'shown' : type;
}

/** How old shapes of these facts become today's. */
export const MEDIA_SHAPES = {
  'media-reserved': [],
  'media-expired': [],
  'media-uploaded': [],
  'media-fetched': [],
  'media-seen': [],
  'media-dropped': [],
  'media-deleted': [],
  'media-unshown': [],
  'media-kept': [],
} as const satisfies FactShapes;
