import type { RecordedFact } from '#event-store/event-store';
import type { ServerName, UserId } from '#kernel/ids';
import { asJson, asMark, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import {
  MEDIA_SHAPES,
  type MediaFetched,
  mediaOfStream,
  type MediaReserved,
  type MediaSeen,
  type MediaUploaded,
} from '../facts/media-facts.js';
import type { MediaId, MediaRef } from '../media-id.js';
import type { ContentHash } from '../store/media-store.js';

export type MediaKey = readonly [server: ServerName, mediaId: MediaId];

/** A medium: reserved, with content, or deleted. One of another server that is not here has no row. */
export interface MediaRow {
  /** When it was reserved or got its content, in milliseconds since the epoch. */
  readonly at: number;
  /** Who of this server brought it, or is to. */
  readonly by?: UserId;
  /** Until when it may be uploaded, where it has no content yet. */
  readonly expires_at?: number;
  readonly sha256?: ContentHash;
  readonly bytes?: number;
  /** As whoever brought it says. */
  readonly type?: string;
  readonly name?: string;
  /** The day on which somebody asked for it last. */
  readonly day?: number;
  readonly deleted?: true;
}

/** A row of a medium that has content. */
export type MediaHere = MediaRow & { readonly sha256: ContentHash; readonly bytes: number };

export const MEDIA = new Collection<MediaKey, MediaRow>('media', {
  key: ['server', 'media id'],
  says: 'who brought it, the hash and the size of its content, its type and name',
  codec: asJson(),
});

export const MEDIA_CONTENT = new Collection<readonly [hash: ContentHash, ...MediaKey], true>('media-content', {
  key: ['sha256', 'server', 'media id'],
  says: 'that the medium has this content',
  codec: asMark,
});

export const USER_MEDIA = new Collection<readonly [userId: UserId, mediaId: MediaId], number>('user-media', {
  key: ['user', 'media id'],
  says: 'the size in bytes of what the user has uploaded',
  codec: asJson(),
});

export const RESERVED_MEDIA = new Collection<readonly [userId: UserId, mediaId: MediaId], number>('reserved-media', {
  key: ['user', 'media id'],
  says: 'until when it may be uploaded',
  codec: asJson(),
});

/** Media of other servers by the day on which somebody asked for them last: what is to go first comes first. */
export const CACHED_MEDIA = new Collection<readonly [day: string, ...MediaKey], number>('cached-media', {
  key: ['day, with leading zeros', 'server', 'media id'],
  says: 'the size in bytes of a medium of another server',
  codec: asJson(),
});

const MS_PER_DAY = 24 * 60 * 60_000;

/** Days since the epoch. */
export function dayOf(at: number): number {
  return Math.floor(at / MS_PER_DAY);
}

const keyOfDay = (day: number): string => String(day).padStart(6, '0');

/** Whether a row is of a medium that can be given out. */
export function isHere(row: MediaRow | undefined): row is MediaHere {
  return row?.sha256 !== undefined;
}

export const mediaProjector: Projector = {
  name: 'media',
  version: 1,
  ...owning(MEDIA, MEDIA_CONTENT, USER_MEDIA, RESERVED_MEDIA, CACHED_MEDIA),
  handles: (type) => Object.hasOwn(MEDIA_SHAPES, type),
  async project(fact, rows) {
    const media = mediaOfStream(fact.stream);
    const before = await MEDIA.get(rows, keyOf(media));
    // What still counts of a stream is said again one day, behind its end.
    if (before?.deleted === true) return;
    const after = rowAfter(before, fact);
    take(rows, media, before);
    if (after === undefined) return MEDIA.delete(rows, keyOf(media));
    put(rows, media, after);
  },
};

function keyOf({ server, mediaId }: MediaRef): MediaKey {
  return [server, mediaId];
}

function rowAfter(before: MediaRow | undefined, { type, data, metadata: { at } }: RecordedFact): MediaRow | undefined {
  switch (type) {
    case 'media-reserved': {
      if (isHere(before)) return before;
      const { by, expires_at } = JSON.parse(data) as MediaReserved;
      return { at, by, expires_at };
    }
    case 'media-uploaded':
    case 'media-fetched': {
      const fact = JSON.parse(data) as MediaFetched & Partial<MediaUploaded>;
      const { by, sha256, bytes, about } = fact;
      return { at, by, sha256, bytes, type: about.type, name: about.name, day: before?.day ?? dayOf(at) };
    }
    case 'media-seen':
      return before && { ...before, day: Math.max((JSON.parse(data) as MediaSeen).day, before.day ?? 0) };
    case 'media-deleted':
      return { at, by: before?.by, deleted: true };
    case 'media-expired':
      return isHere(before) ? before : undefined;
    default:
      return undefined;
  }
}

/** Takes away what other collections say of a medium. */
function take(rows: OwnRows, media: MediaRef, row: MediaRow | undefined): void {
  if (row?.by !== undefined) {
    if (isHere(row)) USER_MEDIA.delete(rows, [row.by, media.mediaId]);
    else RESERVED_MEDIA.delete(rows, [row.by, media.mediaId]);
  }
  if (!isHere(row)) return;
  MEDIA_CONTENT.delete(rows, [row.sha256, ...keyOf(media)]);
  if (row.by === undefined) CACHED_MEDIA.delete(rows, [keyOfDay(row.day ?? 0), ...keyOf(media)]);
}

function put(rows: OwnRows, media: MediaRef, row: MediaRow): void {
  MEDIA.put(rows, keyOf(media), row);
  if (isHere(row)) {
    MEDIA_CONTENT.put(rows, [row.sha256, ...keyOf(media)], true);
    if (row.by === undefined) CACHED_MEDIA.put(rows, [keyOfDay(row.day ?? 0), ...keyOf(media)], row.bytes);
    else USER_MEDIA.put(rows, [row.by, media.mediaId], row.bytes);
  } else if (row.by !== undefined && row.deleted !== true) {
    RESERVED_MEDIA.put(rows, [row.by, media.mediaId], row.expires_at ?? 0);
  }
}
