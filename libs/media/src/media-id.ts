import { randomInt } from 'node:crypto';
import type { ServerName } from '#kernel/ids';
import { isServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';

/** What a server calls one of its media: the last part of `mxc://server/id`. */
export type MediaId = string & { readonly __brand: 'MediaId' };

/** A medium of any server. */
export interface MediaRef {
  readonly server: ServerName;
  readonly mediaId: MediaId;
}

/** Client-server API, "Security considerations" of the content repository. NOTSPEC: an end, so that streams and rows can be called after it. */
const MEDIA_ID = /^[A-Za-z0-9_-]{1,128}$/;
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 136 bits: who was not told an id does not guess it. */
const LENGTH = 24;

function isMediaId(text: string): text is MediaId {
  return MEDIA_ID.test(text);
}

/** Of the two parts of a path. Throws M_INVALID_PARAM where one of them is none: nothing else ever becomes a name of anything. */
export function parseMediaRef(server: string, mediaId: string): MediaRef {
  if (!isServerName(server)) throw new MatrixError('M_INVALID_PARAM', 'Not a server name');
  return { server, mediaId: parseMediaId(mediaId) };
}

/** Throws M_INVALID_PARAM. */
export function parseMediaId(text: string): MediaId {
  if (!isMediaId(text)) throw new MatrixError('M_INVALID_PARAM', 'Not a media ID');
  return text;
}

const MXC = /^mxc:\/\/([^/]+)\/([^/]+)$/;

/** Of a URI as events hold them; undefined where it is none. */
export function findMediaRef(uri: string): MediaRef | undefined {
  const [, server = '', mediaId = ''] = MXC.exec(uri) ?? [];
  return isServerName(server) && isMediaId(mediaId) ? { server, mediaId } : undefined;
}

export function mxcOf({ server, mediaId }: MediaRef): string {
  return `mxc://${server}/${mediaId}`;
}

export function newMediaId(): MediaId {
  return Array.from({ length: LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join('') as MediaId;
}
