import { parseUserId, serverNameOf, type UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';

/** A user id in a path, a query or a body, as who asks means it: see `parseUserId`. Throws M_INVALID_PARAM. */
export function readUserId(requester: Requester, text: unknown): UserId {
  return parseUserId(text, serverNameOf(requester.userId));
}
