import { readUserId } from '#http/read-user-id';
import { serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';

/** The user of this server whom an administrator asks about. Throws as `readUserId`, and M_INVALID_PARAM for users elsewhere. */
export function readLocalUser(requester: Requester, user: string): UserId {
  const userId = readUserId(requester, user);
  if (serverNameOf(userId) !== serverNameOf(requester.userId)) {
    throw new MatrixError('M_INVALID_PARAM', 'The user is not of this server');
  }
  return userId;
}
