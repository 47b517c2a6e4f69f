import { queryInteger, type Query } from '#http/query';

const TIMEOUT_MS = 20_000;
const LONGEST_MS = 60_000;

/** For how long who asks is ready to wait for content that was not uploaded yet. Throws M_INVALID_PARAM. */
export function readTimeout(query: Query): number {
  return queryInteger(query, 'timeout_ms', { cap: LONGEST_MS }) ?? TIMEOUT_MS;
}
