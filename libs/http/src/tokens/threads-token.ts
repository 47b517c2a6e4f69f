import type { LogHistory, SettledPlace } from '#event-store/log-history';
import { MatrixError } from '#kernel/matrix-error';
import type { Place } from '#kernel/position';

/**
 * A place in the list of a room's threads, before or after one by its last event: in the order of arrival; with a depth in that of the
 * graph, behind all of the others, where those stand that nothing was news in.
 */
export interface ThreadsPlace {
  readonly depth?: number;
  readonly place: Place;
}

/** `h<place>`, or `h<depth>_<place>`. */
const THREADS_TOKEN = /^h(?:(\d{1,16})_)?([0-9a-f-]{1,30})$/;

/** Where a page of a room's threads ended, as clients hold it. */
export function formatThreadsToken(history: LogHistory, { depth, place }: ThreadsPlace): string {
  return `h${depth === undefined ? '' : `${depth}_`}${history.format(place)}`;
}

/** Reads what `formatThreadsToken` wrote. Throws M_INVALID_PARAM. */
export function parseThreadsToken(history: LogHistory, text: string): ThreadsPlace & SettledPlace {
  const [, depth, placed = ''] = THREADS_TOKEN.exec(text) ?? [];
  const settled = history.find(placed);
  if (settled === undefined) throw new MatrixError('M_INVALID_PARAM', 'from: not a token of this server');
  return depth === undefined ? settled : { ...settled, depth: Number(depth) };
}
