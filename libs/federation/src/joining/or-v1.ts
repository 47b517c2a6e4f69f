import { PeerRefused } from '#kernel/peer-errors';

/** Asks by version 2 of a path, and by version 1 where the server does not know that. Throws what the last of them throws. */
export async function orV1<T>(askV2: () => Promise<T>, askV1: () => Promise<T>): Promise<T> {
  try {
    return await askV2();
  } catch (error) {
    if (!(error instanceof PeerRefused) || !isUnknownPath(error)) throw error;
    return askV1();
  }
}

/** As a server answers that is older than the path, or something in front of it. */
function isUnknownPath({ status, errcode }: PeerRefused): boolean {
  const isUnrecognised = errcode === 'M_UNRECOGNIZED' || errcode === undefined;
  return isUnrecognised && (status === 400 || status === 404 || status === 405);
}
