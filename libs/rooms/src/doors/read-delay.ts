import { type Query, queryInteger } from '#http/query';

/**
 * For how long a request has its event wait, in milliseconds; undefined where it is to be sent at once. The form in which MSC4140 was
 * tried out, and which clients use. Throws M_INVALID_PARAM.
 */
export function readDelay(query: Query): number | undefined {
  return queryInteger(query, 'org.matrix.msc4140.delay', { min: 1 });
}
