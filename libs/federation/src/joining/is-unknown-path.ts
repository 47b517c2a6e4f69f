import type { PeerRefused } from '#kernel/peer-errors';

/** Whether a server does not know the path that it was asked at, as one that is older than version 2 of it. */
export function isUnknownPath({ status, errcode }: PeerRefused): boolean {
  const isUnrecognised = errcode === 'M_UNRECOGNIZED' || errcode === undefined;
  return isUnrecognised && (status === 400 || status === 404 || status === 405 || status === 501);
}
