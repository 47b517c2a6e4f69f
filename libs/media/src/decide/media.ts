import type { NewFact } from '#event-store/event-store';
import { type FactDraft, draftOf } from '#event-store/seal-facts';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import {
  contentDraft,
  type MediaAbout,
  type MediaDeleted,
  type MediaDropped,
  type MediaFetched,
  type MediaReserved,
  type MediaSeen,
  type MediaUploaded,
} from '../facts/media-facts.js';
import type { ContentHash } from '../store/media-store.js';

/** What a medium is, as its stream tells it, in whatever order what still counts is said. */
export interface Media {
  readonly reserved?: MediaReserved;
  readonly isExpired?: true;
  readonly content?: ContentHash;
  /** Whose it is, where it was uploaded here. */
  readonly by?: UserId;
  /** The last day on which somebody asked for it. */
  readonly day?: number;
  readonly isDeleted?: true;
  /** Whether it is to go, where nothing shows it any more. */
  readonly isUnshown?: boolean;
}

export const NO_MEDIA: Media = Object.freeze({});

/** Content that somebody brings. */
export interface BroughtContent {
  readonly sha256: ContentHash;
  readonly bytes: number;
  readonly about: MediaAbout;
}

export function evolveMedia(media: Media, { type, data }: Pick<NewFact, 'type' | 'data'>): Media {
  switch (type) {
    case 'media-reserved':
      return { ...media, reserved: JSON.parse(data) as MediaReserved };
    case 'media-expired':
      return { ...media, isExpired: true };
    case 'media-uploaded': {
      const { by, sha256 } = JSON.parse(data) as MediaUploaded;
      return { ...media, by, content: sha256 };
    }
    case 'media-fetched':
      return { ...media, content: (JSON.parse(data) as MediaFetched).sha256 };
    case 'media-seen':
      return { ...media, day: (JSON.parse(data) as MediaSeen).day };
    case 'media-dropped':
      return { ...media, content: undefined };
    case 'media-deleted':
      return { ...media, isDeleted: true };
    case 'media-unshown':
    case 'media-kept':
      return { ...media, isUnshown: type === 'media-unshown' };
    default:
      return media;
  }
}

/** The content that a medium has now; undefined where it has none, or is deleted. */
export function contentOf({ content, isDeleted }: Media): ContentHash | undefined {
  return isDeleted === true ? undefined : content;
}

/** Throws M_INVALID_PARAM where the id is given already, which chance does not bring about. */
export function decideReserve(_media: Media, exists: boolean, reserved: MediaReserved): FactDraft[] {
  if (exists) throw new MatrixError('M_INVALID_PARAM', 'The media ID is taken');
  return [draftOf({ type: 'media-reserved', data: reserved })];
}

/** A reservation that nobody used ends; nothing where it was used. */
export function decideExpire({ reserved, isExpired, content, isDeleted }: Media, now: number): FactDraft[] {
  const isOpen = reserved !== undefined && isExpired !== true && content === undefined && isDeleted !== true;
  return isOpen && now >= reserved.expires_at ? [draftOf({ type: 'media-expired', data: {} })] : [];
}

/**
 * Throws unless this user may still bring the content of a medium that was reserved: M_NOT_FOUND, M_FORBIDDEN, M_CANNOT_OVERWRITE_MEDIA.
 * Client-server API, "PUT /_matrix/media/v3/upload/{serverName}/{mediaId}".
 */
export function checkMayFill(media: Media, by: UserId, now: number): void {
  const { reserved, isExpired, content, isDeleted } = media;
  const owner = reserved?.by ?? media.by;
  if (owner === undefined || isDeleted === true) throw new MatrixError('M_NOT_FOUND', 'Unknown media ID');
  if (owner !== by) throw new MatrixError('M_FORBIDDEN', 'Somebody else has reserved this media ID');
  if (content !== undefined) throw new MatrixError('M_CANNOT_OVERWRITE_MEDIA');
  if (isExpired === true || reserved === undefined || now >= reserved.expires_at) {
    throw new MatrixError('M_NOT_FOUND', 'The media ID has expired');
  }
}

export function uploadDraft({ sha256, bytes, about }: BroughtContent, by: UserId): FactDraft {
  return contentDraft('media-uploaded', { by, sha256, bytes }, about);
}

/** A medium of another server has content here from now on; nothing where it has that already. Throws M_NOT_FOUND where it was deleted. */
export function decideFetched(media: Media, { sha256, bytes, about }: BroughtContent): FactDraft[] {
  if (media.isDeleted === true) throw new MatrixError('M_NOT_FOUND', 'This was deleted');
  if (media.content === sha256) return [];
  return [contentDraft('media-fetched', { sha256, bytes }, about)];
}

/** Notes the day, once. */
export function decideSeen(media: Media, day: number): FactDraft[] {
  if (contentOf(media) === undefined || (media.day ?? 0) >= day) return [];
  return [draftOf({ type: 'media-seen', data: { day } satisfies MediaSeen })];
}

export function decideDrop(media: Media): FactDraft[] {
  const sha256 = contentOf(media);
  return sha256 === undefined ? [] : [draftOf({ type: 'media-dropped', data: { sha256 } satisfies MediaDropped })];
}

/** An event of this sender that showed it was redacted: nothing where somebody else uploaded it, or that is noted already. */
export function decideUnshown(media: Media, sender: string): FactDraft[] {
  if (contentOf(media) === undefined || media.by !== sender || media.isUnshown === true) return [];
  return [draftOf({ type: 'media-unshown', data: {} })];
}

/** It stays, whatever was redacted. */
export function decideKeep({ isUnshown, isDeleted }: Media): FactDraft[] {
  return isUnshown === true && isDeleted !== true ? [draftOf({ type: 'media-kept', data: {} })] : [];
}

/** It goes because nothing shows it any more; nothing where it is to stay by now. */
export function decideFree(media: Media): FactDraft[] {
  return media.isUnshown === true ? decideDelete(media) : [];
}

/** Nothing where it is deleted already. */
export function decideDelete({ content, isDeleted }: Media): FactDraft[] {
  if (isDeleted === true) return [];
  return [draftOf({ type: 'media-deleted', data: { sha256: content } satisfies MediaDeleted })];
}
