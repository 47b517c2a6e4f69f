import type { LogHistory } from '#event-store/log-history';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';

/** `y<place>`. */
const TOKEN = /^y([0-9a-f-]{1,30})$/;

/** Up to where a client has the sticky events of its rooms, as it holds it. */
export function formatStickyToken(history: LogHistory, end: Position): string {
  return `y${history.format(end)}`;
}

/** Reads what `formatStickyToken` wrote. Throws M_INVALID_PARAM for anything else. */
export function parseStickyToken(history: LogHistory, text: string): Position {
  const place = history.find(TOKEN.exec(text)?.[1] ?? '')?.place;
  if (typeof place !== 'string') throw new MatrixError('M_INVALID_PARAM', 'since: not a token of this server');
  return place;
}
