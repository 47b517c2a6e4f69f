import { readUserId } from '#http/read-user-id';
import { serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { checkAdmin } from './check-admin.js';

/**
 * The user of this server whom an administrator asks about. Throws M_FORBIDDEN for who is no administrator, before anything is looked for, and
 * M_INVALID_PARAM for users elsewhere.
 */
export function readLocalUser(requester: Requester, user: string): UserId {
  checkAdmin(requester);
  const userId = readUserId(requester, user);
  if (serverNameOf(userId) !== serverNameOf(requester.userId)) {
    throw new MatrixError('M_INVALID_PARAM', 'The user is not of this server');
  }
  return userId;
}
