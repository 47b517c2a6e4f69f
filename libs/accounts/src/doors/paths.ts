import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';

/** Where today's API is served: v3, and r0 as it was called before. */
export const TODAY: readonly string[] = ['_matrix/client/v3', '_matrix/client/r0'];

/** Today's API, and the version between 2015's and today's where a path was there already. */
export const TODAY_AND_ALPHA: readonly string[] = [...TODAY, '_matrix/client/v2_alpha'];

/** Where the API of 2014 and 2015 is served. */
export const V1 = '_matrix/client/api/v1';

/** `path` under each prefix. */
export function under(prefixes: readonly string[], path: string): string[] {
  return prefixes.map((prefix) => `${prefix}/${path}`);
}

/** Throws M_FORBIDDEN unless the user id in a path is that of who asks. */
export function checkOwn(requester: Requester, userId: UserId, what: string): void {
  if (requester.userId !== userId) throw new MatrixError('M_FORBIDDEN', `You may only do this with your own ${what}`);
}
