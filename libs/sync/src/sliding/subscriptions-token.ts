import type { LogHistory } from '#event-store/log-history';
import { findStreamToken } from '#http/tokens/stream-token';
import { MatrixError } from '#kernel/matrix-error';
import { type Position, START } from '#kernel/position';
import type { ThreadsLogPlace } from '#rooms/queries/list-thread-subscriptions';

/** Where a page of thread subscriptions ended: going on, it is read backwards from there. */
export interface SubscriptionsPlace {
  /** undefined: from the end on, for what was before it is lost. */
  readonly before: ThreadsLogPlace | undefined;
  /** The client has what changed up to here, where that is earlier than the place that it came with. */
  readonly after?: Position;
}

/** `h<place>_<thread>`, and where the client has less than the `pos` that it came with says `_<place>`. */
const TOKEN = /^h([0-9a-f-]{1,30})_([0-9A-Za-z_-]{22})(?:_([0-9a-f-]{1,30}))?$/;

/** A place as clients hold it. */
export function formatSubscriptionsToken(history: LogHistory, before: ThreadsLogPlace, after?: Position): string {
  const text = `h${history.format(before.position)}_${before.thread}`;
  return after === undefined ? text : `${text}_${history.format(after)}`;
}

/**
 * Reads what `formatSubscriptionsToken` wrote. Of a place in a part of the log that is lost nothing is believed: all is told again, for
 * clients that are refused ask for ever. Throws M_INVALID_PARAM for what is no token.
 */
export function parseSubscriptionsToken(history: LogHistory, text: string): SubscriptionsPlace {
  const [, placed = '', thread = '', told] = TOKEN.exec(text) ?? [];
  const settled = history.find(placed);
  const after = told === undefined ? undefined : history.find(told)?.place;
  if (typeof settled?.place !== 'string' || (told !== undefined && typeof after !== 'string')) {
    throw new MatrixError('M_INVALID_PARAM', 'from: not a token of this server');
  }
  if (settled.isLost) return { before: undefined, after: START };
  const before = { position: settled.place, thread };
  return typeof after === 'string' ? { before, after } : { before };
}

/** The place of a `pos` of sliding sync, of whichever connection: up to there its client has all. Throws M_INVALID_PARAM. */
export function placeOfPos(history: LogHistory, text: string): Position {
  const place = findStreamToken(history, text)?.place;
  if (typeof place !== 'string') throw new MatrixError('M_INVALID_PARAM', 'to: not a token of this server');
  return place;
}
