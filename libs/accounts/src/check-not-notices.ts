import type { Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';

/** Throws M_FORBIDDEN for the user of the server's notices: all others have what it said, and hear of the server by it. */
export function checkNotNotices(userId: UserId, { notices }: Pick<Config, 'notices'>): void {
  if (userId === notices?.userId)
    throw new MatrixError('M_FORBIDDEN', 'By this user the server speaks to all others (ANNALS_NOTICES_USER)');
}
