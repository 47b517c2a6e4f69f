import type { RecordedFact } from '#event-store/event-store';
import { type LogBegun, SERVER_STREAM } from '#event-store/log-identity';
import { whenThere } from '#kernel/answer';
import type { ServerName, UserId } from '#kernel/ids';
import { asJson, asMark, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import {
  MEDIA_SHAPES,
  type MediaFetched,
  mediaOfStream,
  type MediaReserved,
  type MediaSeen,
  type MediaUploaded,
} from '../facts/media-facts.js';
import type { RoomFactReader } from '#rooms/projections/room-fact-reader';
import type { MediaId, MediaRef } from '../media-id.js';
import type { ContentHash } from '../store/media-store.js';
import { EVENT_MEDIA, forgetShown, mayShow, noteShown, purgeShown, SHOWN_MEDIA } from './shown-media.js';

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
  /** When somebody asked for it first on the last day on which anybody did, in milliseconds since the epoch. */
  readonly seen?: number;
  readonly deleted?: true;
  /** Since when it is to go, where nothing shows it any more. */
  readonly unshown?: number;
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

/** What a user has uploaded in all. */
export interface MediaUse {
  readonly media: number;
  readonly bytes: number;
}

export const MEDIA_USE = new Collection<readonly [userId: UserId], MediaUse>('media-use', {
  key: ['user'],
  says: 'how many media the user has uploaded, and how many bytes in all',
  codec: asJson(),
});

/** Media that are to go: what was told first comes first. */
export const UNSHOWN_MEDIA = new Collection<readonly [since: string, ...MediaKey], true>('unshown-media', {
  key: ['moment, with leading zeros', 'server', 'media id'],
  says: 'that an event of its uploader that showed the medium was redacted then',
  codec: asMark,
});

/** Media of other servers by when somebody asked for them last: what is to go first comes first. */
export const CACHED_MEDIA = new Collection<readonly [seen: string, ...MediaKey], number>('cached-media', {
  key: ['moment, with leading zeros', 'server', 'media id'],
  says: 'the size in bytes of a medium of another server',
  codec: asJson(),
});

/** What this server is called, as the log says it. */
const OWN_NAME = new Collection<readonly [log: string], ServerName>('media-own-name', {
  key: ['`server`'],
  says: 'what this server is called',
  codec: asText(),
});

const NO_USE: MediaUse = Object.freeze({ media: 0, bytes: 0 });
const MS_PER_DAY = 24 * 60 * 60_000;

/** Days since the epoch. */
export function dayOf(at: number): number {
  return Math.floor(at / MS_PER_DAY);
}

/** As the keys of CACHED_MEDIA begin. */
const keyOfMoment = (at: number): string => String(at).padStart(15, '0');

/** When on a day something was: what is said again later was on that day all the same. */
function momentOf(day: number, at: number): number {
  return dayOf(at) === day ? at : day * MS_PER_DAY;
}

/** Whether a row is of a medium that can be given out. */
export function isHere(row: MediaRow | undefined): row is MediaHere {
  return row?.sha256 !== undefined;
}

const OWNED = [
  MEDIA,
  MEDIA_CONTENT,
  USER_MEDIA,
  MEDIA_USE,
  RESERVED_MEDIA,
  CACHED_MEDIA,
  SHOWN_MEDIA,
  EVENT_MEDIA,
  UNSHOWN_MEDIA,
  OWN_NAME,
];
const OF_ROOMS: ReadonlySet<string> = new Set(['pdu-accepted', 'state-taken', 'pdu-redacted', 'room-purged']);

/** What media there are, and which events of rooms show those that were uploaded here. */
export function mediaProjector(reader: RoomFactReader): Projector {
  return {
    name: 'media',
    version: 4,
    ...owning(...OWNED),
    handles: (type) => Object.hasOwn(MEDIA_SHAPES, type) || OF_ROOMS.has(type) || type === 'log-begun',
    project(fact, rows) {
      if (fact.type === 'log-begun') {
        const { server_name: name } = JSON.parse(fact.data) as LogBegun; // written by `nameLog`
        if (name !== undefined) OWN_NAME.put(rows, [SERVER_STREAM], name);
        return undefined;
      }
      if (fact.type === 'pdu-redacted') return forgetShown(fact, reader, rows);
      if (fact.type === 'room-purged') return purgeShown(fact, rows);
      if (!OF_ROOMS.has(fact.type)) return projectMedia(fact, rows);
      if (!mayShow(fact)) return undefined;
      // By the name and not by the row: once its stream was shortened, the upload stands behind the events that show it.
      return whenThere(OWN_NAME.get(rows, [SERVER_STREAM]), (ours) => noteShown(fact, reader, ours, rows));
    },
  };
}

async function projectMedia(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const media = mediaOfStream(fact.stream);
  const before = await MEDIA.get(rows, keyOf(media));
  // What still counts of a stream is said again one day, behind its end.
  if (before?.deleted === true) return;
  const after = rowAfter(before, fact);
  await count(rows, before, after);
  take(rows, media, before);
  if (after === undefined) MEDIA.delete(rows, keyOf(media));
  else put(rows, media, after);
}

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
      return { at, by, sha256, bytes, type: about.type, name: about.name, seen: before?.seen ?? at };
    }
    case 'media-seen':
      return (
        before && { ...before, seen: Math.max(momentOf((JSON.parse(data) as MediaSeen).day, at), before.seen ?? 0) }
      );
    case 'media-unshown':
      return before && { ...before, unshown: at };
    case 'media-kept':
      return before && { ...before, unshown: undefined };
    case 'media-deleted':
      return { at, by: before?.by, deleted: true };
    case 'media-expired':
      return isHere(before) ? before : undefined;
    default:
      return undefined;
  }
}

/** What of a medium counts for who uploaded it. */
function useOf(row: MediaRow | undefined): MediaUse {
  return isHere(row) && row.by !== undefined ? { media: 1, bytes: row.bytes } : NO_USE;
}

async function count(rows: OwnRows, before: MediaRow | undefined, after: MediaRow | undefined): Promise<void> {
  const [less, more] = [useOf(before), useOf(after)];
  const by = after?.by ?? before?.by;
  if (by === undefined || (less.media === more.media && less.bytes === more.bytes)) return;
  const { media, bytes } = (await MEDIA_USE.get(rows, [by])) ?? NO_USE;
  const use = { media: media - less.media + more.media, bytes: bytes - less.bytes + more.bytes };
  if (use.media === 0) MEDIA_USE.delete(rows, [by]);
  else MEDIA_USE.put(rows, [by], use);
}

/** Takes away what other collections say of a medium. */
function take(rows: OwnRows, media: MediaRef, row: MediaRow | undefined): void {
  if (row?.by !== undefined) {
    if (isHere(row)) USER_MEDIA.delete(rows, [row.by, media.mediaId]);
    else RESERVED_MEDIA.delete(rows, [row.by, media.mediaId]);
  }
  if (row?.unshown !== undefined) UNSHOWN_MEDIA.delete(rows, [keyOfMoment(row.unshown), ...keyOf(media)]);
  if (!isHere(row)) return;
  MEDIA_CONTENT.delete(rows, [row.sha256, ...keyOf(media)]);
  if (row.by === undefined) CACHED_MEDIA.delete(rows, [keyOfMoment(row.seen ?? 0), ...keyOf(media)]);
}

function put(rows: OwnRows, media: MediaRef, row: MediaRow): void {
  MEDIA.put(rows, keyOf(media), row);
  if (row.unshown !== undefined) UNSHOWN_MEDIA.put(rows, [keyOfMoment(row.unshown), ...keyOf(media)], true);
  if (isHere(row)) {
    MEDIA_CONTENT.put(rows, [row.sha256, ...keyOf(media)], true);
    if (row.by === undefined) CACHED_MEDIA.put(rows, [keyOfMoment(row.seen ?? 0), ...keyOf(media)], row.bytes);
    else USER_MEDIA.put(rows, [row.by, media.mediaId], row.bytes);
  } else if (row.by !== undefined && row.deleted !== true) {
    RESERVED_MEDIA.put(rows, [row.by, media.mediaId], row.expires_at ?? 0);
  }
}
