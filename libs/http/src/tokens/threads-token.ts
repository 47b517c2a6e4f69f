import type { LogHistory, SettledPlace } from '#event-store/log-history';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';

/** `h<place>`. */
const THREADS_TOKEN = /^h([0-9a-f-]{1,30})$/;

/** Where a page of a room's threads ended, as clients hold it: before the thread whose last event is at the position. */
export function formatThreadsToken(history: LogHistory, position: Position): string {
  return `h${history.format({ before: position })}`;
}

/** Reads what `formatThreadsToken` wrote. Throws M_INVALID_PARAM. */
export function parseThreadsToken(history: LogHistory, text: string): SettledPlace {
  const [, placed = ''] = THREADS_TOKEN.exec(text) ?? [];
  const settled = history.find(placed);
  if (settled === undefined) throw new MatrixError('M_INVALID_PARAM', 'from: not a token of this server');
  return settled;
}
