import { type Query, queryInteger } from './query.js';
import type { Requester } from '#kernel/requester';

/**
 * When an application service says that something was sent, in milliseconds since the epoch; undefined where it does not, or somebody
 * else asks (application service API, "Timestamp massaging"). Throws M_INVALID_PARAM.
 */
export function readMassagedTime({ appServiceId }: Requester, query: Query): number | undefined {
  return appServiceId === undefined ? undefined : queryInteger(query, 'ts');
}
