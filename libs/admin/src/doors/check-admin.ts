import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';

/** Throws M_FORBIDDEN for who does not administer this server. */
export function checkAdmin({ isAdmin }: Requester): void {
  if (!isAdmin) throw new MatrixError('M_FORBIDDEN', 'You do not administer this server');
}
