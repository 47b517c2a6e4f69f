import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';

/** Throws M_FORBIDDEN unless the user id in a path is that of who asks. */
export function checkOwn(requester: Requester, userId: UserId, what: string): void {
  if (requester.userId !== userId) throw new MatrixError('M_FORBIDDEN', `You may only do this with your own ${what}`);
}
