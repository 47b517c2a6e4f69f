import type { LogHistory } from '#event-store/log-history';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';

/** `d<place>`. */
const TOKEN = /^d([0-9a-f-]{1,30})$/;

/** Up to where a device has its messages, as clients hold it. */
export function formatToDeviceToken(history: LogHistory, end: Position): string {
  return `d${history.format(end)}`;
}

/** Reads what `formatToDeviceToken` wrote. Throws M_INVALID_PARAM for anything else. */
export function parseToDeviceToken(history: LogHistory, text: string): Position {
  const place = history.find(TOKEN.exec(text)?.[1] ?? '')?.place;
  if (typeof place !== 'string') throw new MatrixError('M_INVALID_PARAM', 'since: not a token of this server');
  return place;
}
