import type { LogHistory } from '#event-store/log-history';
import { formatStreamMoment, parseStreamMoment, type StreamMoment } from '#http/tokens/stream-token';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { shortHash } from '#kernel/short-hash';

/** Where the client of a connection is. */
export interface SlidingPlace {
  readonly moment: StreamMoment;
  /** The revision of the fact that says what it was told. */
  readonly revision: number;
}

/** `<stream token>~<revision>~<mark of the connection>`. */
const POS = /^([^~]{1,400})~(\d{1,15})~([0-9A-Za-z_-]{1,64})$/;

/** A connection that a `pos` is of. */
export type ConnectionKey = Pick<Requester, 'userId' | 'deviceId'> & { readonly connId: string };

/** A place as clients hold it. */
export function formatPos(history: LogHistory, key: ConnectionKey, { moment, revision }: SlidingPlace): string {
  return `${formatStreamMoment(history, moment)}~${revision}~${markOf(key)}`;
}

/**
 * Reads what `formatPos` wrote for the same connection. Throws M_UNKNOWN_POS for all else, also where the place is in a part of the log
 * that is lost: what its client heard of that, nothing takes back but to begin anew.
 */
export function parsePos(history: LogHistory, key: ConnectionKey, text: string): SlidingPlace {
  const [, token, revision, mark] = POS.exec(text) ?? [];
  if (token === undefined || mark !== markOf(key)) throw new MatrixError('M_UNKNOWN_POS');
  const { isLost, ...moment } = readMoment(history, token);
  if (isLost) throw new MatrixError('M_UNKNOWN_POS');
  return { moment, revision: Number(revision) };
}

function readMoment(history: LogHistory, token: string): ReturnType<typeof parseStreamMoment> {
  try {
    return parseStreamMoment(history, token, 'pos');
  } catch (error) {
    throw error instanceof MatrixError ? new MatrixError('M_UNKNOWN_POS') : error;
  }
}

/** So that the `pos` of one connection is never taken for one of another. */
function markOf({ userId, deviceId, connId }: ConnectionKey): string {
  return shortHash(JSON.stringify([userId, deviceId, connId])).slice(0, 8);
}
