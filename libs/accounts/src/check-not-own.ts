import type { Cause } from '#event-store/aggregates';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';

/** Throws M_FORBIDDEN for an administrator who would close their own account as they close others': nobody is left without one by a slip of theirs. */
export function checkNotOwn(userId: UserId, { actor }: Cause): void {
  if (actor === userId) throw new MatrixError('M_FORBIDDEN', 'Close your own account as everybody does');
}
