import type { Config } from '#config/config';
import { MOST_STICKY_MS } from '#protocol/stickiness';
import { type Query, queryInteger } from './query.js';

/**
 * For how long a request has its event be sticky, in milliseconds; undefined where it is to be an event like any other, and on a server on
 * which none are sticky: MSC4354. Throws M_INVALID_PARAM.
 */
export function readStickyDuration(query: Query, { stickyEvents }: Pick<Config, 'stickyEvents'>): number | undefined {
  if (!stickyEvents) return undefined;
  return queryInteger(query, 'org.matrix.msc4354.sticky_duration_ms', { max: MOST_STICKY_MS });
}
