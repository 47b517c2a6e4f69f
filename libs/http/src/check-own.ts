import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { readUserId } from './read-user-id.js';

/** Throws M_FORBIDDEN unless the user id in a path is that of who asks, M_INVALID_PARAM where it is none. */
export function checkOwn(requester: Requester, userId: string, what: string): void {
  if (requester.userId === readUserId(requester, userId)) return;
  throw new MatrixError('M_FORBIDDEN', `You may only do this with your own ${what}`);
}
